#!/bin/sh
# Checks a bundle without kolm, and unpacks it:
#
#     sh verify_bundle.sh BUNDLE SIGNER.pem FOLDER [CID]
#
# SIGNER.pem is the public key that you got from the signer. The last line says "Verified" and the
# status is 0 only if every step passed. Otherwise no FOLDER is left.
set -eu
export LC_ALL=C
bundle=$1 signer=$2 folder=$3 step=archive
mkdir "$folder"
work=$(mktemp -d)
trap 'code=$?
  rm -rf "$work"
  [ $code = 0 ] || { rm -rf "$folder"; echo "NOT VERIFIED: $bundle: $step" >&2; }
  exit $code' EXIT

check_signature() { # of an envelope; leaves its payload in $work/payload
  step="signature of $1"
  form='^{"dsseEnvelope":{"payload":"\([^"]*\)","payloadType":"application/vnd.in-toto+json"'
  form=$form',"signatures":\[{"keyid":"[^"]*","sig":"\([^"]*\)"}\]},.*$'
  sed -n "s|$form|\\1|p" "$folder/attestations/$1" > "$work/base64"
  base64 -d "$work/base64" > "$work/payload"
  sed -n "s|$form|\\2|p" "$folder/attestations/$1" > "$work/base64"
  base64 -d "$work/base64" > "$work/signature"
  printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < "$work/payload")" > "$work/pae"
  cat "$work/payload" >> "$work/pae"
  if grep -qi ed25519 "$work/key"; then
    set -- pkeyutl -verify -pubin -inkey "$signer" -rawin -in "$work/pae" -sigfile "$work/signature"
  else
    set -- dgst -sha256 -verify "$signer" -signature "$work/signature" "$work/pae"
  fi
  openssl "$@" > "$work/said"
}

# The archive. A link could stand for another file.
unzip -qn "$bundle" -d "$folder"
[ -z "$(find "$folder" ! -type f ! -type d)" ]

# The statements. The signer signed each, and the receipt names the others.
openssl pkey -pubin -in "$signer" -noout -text > "$work/key"
links=
for stage in capture dataset train evaluate; do
  [ -e "$folder/attestations/capture.sigstore.json" ] || [ $stage != capture ] || continue
  check_signature $stage.sigstore.json
  sum=$(sha256sum < "$work/payload")
  links=$links${links:+,}'{"sha256":"'${sum%% *}'","stage":"'$stage'"}'
done
check_signature receipt.sigstore.json
step="chain of statements"
start=${links#*'"stage":"'}
grep -qF '"chain":{"stages":['"$links"'],"starts_at":"'"${start%%\"*}"'"' "$work/payload"

# The receipt is about this manifest.
step=manifest.json
sum=$(sha256sum < "$folder/manifest.json")
about='"predicateType":"https://slsa.dev/provenance/v1","subject":[{"digest":{"sha256":"'
about=$about${sum%% *}'"},"name":"manifest.json"}]}'
[ "$(tail -c ${#about} "$work/payload")" = "$about" ]

# The manifest is about these files, and there are no others.
step=files
tr '{' '\n' < "$folder/manifest.json" > "$work/lines"
sed -n 's|^"path":"\([^"]*\)","sha256":"\([^"]*\)".*|\2  \1|p' "$work/lines" > "$work/sums"
(cd "$folder" && sha256sum --check --strict --quiet "$work/sums" >&2)
stages='(capture|dataset|train|evaluate|(receipt|parity)\.[0-9a-f]{64}|receipt)\.sigstore\.json'
unzip -Z1 "$bundle" > "$work/names"
grep -vxE "manifest\.json|attestations/($stages|[0-9a-f]{64}\.pem|model\.sig)" "$work/names" \
  > "$work/held"
cut -c67- "$work/sums" > "$work/listed"
sort -o "$work/held" "$work/held"
sort -o "$work/listed" "$work/listed"
diff "$work/listed" "$work/held" >&2
step="names that occur twice"
[ -z "$(sort "$work/names" | uniq -d)" ]

# The CID: a prefix and the manifest's SHA-256, in base32.
step=CID
printf '\001\125\022\040' > "$work/cid"
openssl dgst -sha256 -binary "$folder/manifest.json" >> "$work/cid"
base32 -w0 "$work/cid" > "$work/base32"
cid=b$(tr A-Z a-z < "$work/base32")
[ "${cid%%=*}" = "${4:-${cid%%=*}}" ]
echo "Verified ${cid%%=*}"
