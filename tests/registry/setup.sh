#!/bin/bash
# The programs that the registry's interop tests run: a real registry, skopeo, htpasswd.
set -eu
missing=()
for program in docker-registry skopeo htpasswd; do
    command -v "$program" >/dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    apt-get install -y -qq docker-registry skopeo apache2-utils >/dev/null
fi
