"use strict";
// Pairs are shown one at a time. Text is set as text, never as markup: it comes from anywhere.

const at = (id) => document.getElementById(id);
let pairs = [];
let index = 0;
let more = true;
// What was decided, with what each pair was before: the last is taken back first.
let decided = [];
let seen = 0;
let busy = false;

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const value = await response.json();
  if (!response.ok) throw new Error(value.error || response.statusText);
  return value;
}

function count(counts) {
  at("counts").textContent = Object.entries(counts)
    .map(([state, pairs]) => `${pairs} ${state}`).join(", ");
}

async function load() {
  const value = await ask(`pairs?state=${at("state").value}&after=${seen}`);
  more = value.pairs.length > 0;
  seen = Math.max(seen, ...value.pairs.map((pair) => pair.id));
  pairs.push(...value.pairs);
  at("namespace").textContent = `review ${value.namespace}`;
  count(value.counts);
}

async function recount() {
  count((await ask(`pairs?state=pending&after=${Number.MAX_SAFE_INTEGER}`)).counts);
}

function element(kind, className, text) {
  const made = document.createElement(kind);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function message(value) {
  const box = element("div", "message");
  box.append(element("div", "role", value.role));
  for (const part of value.content) {
    if (part.type === "text") {
      box.append(element("div", "text", part.text));
    } else {
      const image = element("img", "");
      image.src = `image/${part.sha256}`;
      image.alt = `image ${part.sha256.slice(0, 12)}`;
      box.append(image);
    }
  }
  return box;
}

function responseOf(pair) {
  return pair.messages.at(-1).content.map((part) => part.text).join("");
}

function skipped() {
  const done = new Set(decided.map((entry) => entry.id));
  return pairs.filter((pair) => pair.review === at("state").value && !done.has(pair.id));
}

function showEnd() {
  const left = skipped().length;
  at("again").hidden = !left;
  at("end").textContent = left
    ? `You skipped ${left} ${left === 1 ? "pair" : "pairs"}.` : "Nothing left to review here.";
}

async function show() {
  if (index >= pairs.length && more) await load();
  const pair = pairs[index];
  at("pair").hidden = !pair;
  at("nothing").hidden = Boolean(pair);
  if (!pair) return showEnd();
  at("about").textContent = [
    `pair ${pair.id}`, pair.review, pair.source, pair.model, pair.time, pair.tags.join(" "),
    pair.reviewer && `by ${pair.reviewer}`,
  ].filter(Boolean).join(" · ");
  at("messages").replaceChildren(...pair.messages.slice(0, -1).map(message));
  at("response").value = responseOf(pair);
  at("response").readOnly = true;
  at("answers").textContent =
    pair.answers.length ? `Also accepted: ${pair.answers.join(" | ")}` : "";
}

async function decide(state, corrected) {
  const pair = pairs[index];
  if (!pair) return;
  const wish = { id: pair.id, digest: pair.digest, state };
  if (corrected !== undefined) wish.response = corrected;
  pairs[index] = await ask("review", wish);
  decided.push({ id: pair.id, state: pair.review, response: responseOf(pair) });
  index += 1;
  await recount();
  await show();
}

async function undo() {
  if (!decided.length) return;
  const before = decided.at(-1);
  const last = pairs.findIndex((pair) => pair.id === before.id);
  const wish = { id: before.id, digest: pairs[last].digest, state: before.state };
  if (before.response !== responseOf(pairs[last])) wish.response = before.response;
  pairs[last] = await ask("review", wish);
  decided.pop();
  index = last;
  await recount();
  await show();
}

// Go through what was skipped: it moves behind what was decided, in its order.
function again() {
  const left = skipped();
  if (left.length) {
    pairs = [...pairs.filter((pair) => !left.includes(pair)), ...left];
    index = pairs.length - left.length;
  }
  return show();
}

const actions = {
  accept: () => decide("accepted"),
  reject: () => decide("rejected"),
  correct: () => {
    at("response").readOnly = false;
    at("response").focus();
  },
  next: () => {
    if (index >= pairs.length) return again();
    index += 1;
    return show();
  },
  previous: () => {
    if (index > 0) index -= 1;
    return show();
  },
  undo,
  again,
};

// One thing at a time: a key that is held down must not decide of pairs that nobody saw.
async function run(action) {
  if (busy) return;
  busy = true;
  at("error").textContent = "";
  try {
    await action();
  } catch (error) {
    at("error").textContent = error.message;
  } finally {
    busy = false;
    document.body.dataset.ready = String(Number(document.body.dataset.ready || 0) + 1);
  }
}

const keys = {
  a: "accept", r: "reject", e: "correct", j: "next", ArrowRight: "next",
  k: "previous", ArrowLeft: "previous", u: "undo",
};

document.addEventListener("keydown", (event) => {
  const writing = event.target === at("response") && !at("response").readOnly;
  if (writing) {
    if (event.key === "Escape") {
      at("response").blur();
      run(show);
    } else if (event.key === "Enter" && event.ctrlKey) {
      event.preventDefault();
      const text = at("response").value;
      at("response").blur();
      run(() => decide("accepted", text));
    }
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target === at("state")) return;
  const name = keys[event.key];
  if (name) {
    event.preventDefault();
    run(actions[name]);
  }
});

for (const name of Object.keys(actions)) {
  at(name).addEventListener("click", (event) => {
    event.currentTarget.blur();
    run(actions[name]);
  });
}
at("state").addEventListener("change", () => {
  at("state").blur();
  run(() => {
    [pairs, index, more, decided, seen] = [[], 0, true, [], 0];
    return show();
  });
});
run(show);
