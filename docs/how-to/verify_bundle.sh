#!/bin/sh
# Checks a bundle without kolm, and unpacks it:
#
#     sh verify_bundle.sh BUNDLE SIGNER.pem FOLDER [CID]
#
# SIGNER.pem is the public key that you got from the signer. The last line says "Verified" and the
# status is 0 only if every step passed. Otherwise there is no FOLDER.
set -eu
export LC_ALL=C
bundle=$1 signer=$2 folder=$3 step="$3 exists"
work=$(mktemp -d "$folder.XXXXXX")
files=$work/files
trap 'rm -rf "$work"; [ -z "$step" ] || echo "NOT VERIFIED: $bundle: $step" >&2' EXIT
[ ! -e "$folder" ]
digest() { sha256sum | cut -c-64; }

step=archive # A link could stand for another file.
unzip -qn "$bundle" -d "$files"
[ -z "$(find "$files" ! -type f ! -type d)" ]

# What the signer signed: the stages, and a receipt that names them and the manifest.
key_id=$(openssl pkey -pubin -in "$signer" -outform DER | digest)
form='{"dsseEnvelope":{"payload":"%s","payloadType":"application/vnd.in-toto+json","signatures":'
form=$form'[{"keyid":"%s","sig":"%s"}]},"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"'
form=$form',"verificationMaterial":{"publicKey":{"hint":"%s"}}}'
check_signature() { # leaves what was signed in $work/payload
  step="signature of $1" envelope=$files/attestations/$1.sigstore.json
  payload=$(cut -d '"' -f 6 "$envelope") signature=$(cut -d '"' -f 20 "$envelope")
  printf "$form" "$payload" "$key_id" "$signature" "$key_id" | cmp - "$envelope" >&2
  printf %s "$payload" | base64 -d > "$work/payload"
  printf %s "$signature" | base64 -d > "$work/signature"
  printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < "$work/payload")" > "$work/pae"
  cat "$work/payload" >> "$work/pae"
  openssl pkeyutl -verify -pubin -inkey "$signer" -rawin -in "$work/pae" \
    -sigfile "$work/signature" > "$work/said"
}
stages="dataset train evaluate" links=
[ ! -e "$files/attestations/capture.sigstore.json" ] || stages="capture $stages"
for stage in $stages; do
  check_signature $stage
  links=$links,'{"sha256":"'$(digest < "$work/payload")'","stage":"'$stage'"}'
done
check_signature receipt
step="what the receipt is about"
chain='"chain":{"stages":\['${links#,}'\],"starts_at":"'${stages%% *}'"'
about='"predicateType":"https://slsa\.dev/provenance/v1","subject":\[{"digest":{"sha256":"'
about=$about$(digest < "$files/manifest.json")'"},"name":"manifest\.json"}\]}'
grep -q "$chain.*$about\$" "$work/payload"

step=files # They are those that the manifest lists, no name occurs twice, and there are no others.
tr '{' '\n' < "$files/manifest.json" |
  sed -n 's|^"path":"\([^"]*\)","sha256":"\([^"]*\)".*|\2  \1|p' > "$work/sums"
(cd "$files" && sha256sum --check --strict --quiet >&2) < "$work/sums"
signed='capture|dataset|train|evaluate|receipt|(receipt|parity)\.[0-9a-f]{64}'
unlisted="manifest\.json|attestations/(($signed)\.sigstore\.json|[0-9a-f]{64}\.pem|model\.sig)"
unzip -Z1 "$bundle" | sort > "$work/names"
{ cut -c 67- "$work/sums" && grep -xE "$unlisted" "$work/names"; } | sort -u |
  diff - "$work/names" >&2

step=CID # A prefix and the manifest's SHA-256, in base32.
cid=b$({ printf '\001\125\022\040' && openssl dgst -sha256 -binary "$files/manifest.json"; } |
  base32 -w0 | tr -d = | tr A-Z a-z)
[ ${#cid} = 59 ]
[ "$cid" = "${4-$cid}" ]
mv -T "$files" "$folder"
step=
echo "Verified $cid"
