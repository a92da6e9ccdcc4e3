#!/usr/bin/env bash
# Installs what `make test-interop` checks bundles with. None of it belongs to the program itself,
# so it goes into environments of its own: .venv-interop, .venv-trackers (which sees kolm's packages and
# overrides some), and node_modules beside this script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

missing=()
for pair in openssl:openssl unzip:unzip node:nodejs npm:npm sha256sum:coreutils base32:coreutils; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "installing ${missing[*]} ..."
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}"
fi

venv="$root/.venv-interop"
stamp="$venv/.requirements"
if ! cmp -s "$here/requirements.txt" "$stamp"; then
  echo "installing the Python programs ..."
  test -x "$venv/bin/python" || "${PYTHON:-python3}" -m venv "$venv"
  echo '*' > "$venv/.gitignore"
  "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$stamp"
fi
trackers="$root/.venv-trackers"
if ! cmp -s "$here/trackers.txt" "$trackers/.requirements"; then
  echo "installing the trackers ..."
  own=$("$root/.venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  test -x "$trackers/bin/python" || "$root/.venv/bin/python" -m venv "$trackers"
  echo '*' > "$trackers/.gitignore"
  echo "$own" > "$("$trackers/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kolm.pth"
  "$trackers/bin/pip" install --quiet -r "$here/trackers.txt"
  cp "$here/trackers.txt" "$trackers/.requirements"
fi
if ! cmp -s "$here/package.json" "$here/node_modules/.package.json"; then
  echo "installing the npm packages ..."
  (cd "$here" && npm install --silent --no-audit --no-fund --no-package-lock)
  cp "$here/package.json" "$here/node_modules/.package.json"
fi
