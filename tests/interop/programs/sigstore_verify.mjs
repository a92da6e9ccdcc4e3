// Verifies a Sigstore bundle that names a public key, with the key that the caller trusts.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, Verifier } from "@sigstore/verify";

const [bundlePath, keyPath, keyId] = process.argv.slice(2);
const publicKey = createPublicKey(readFileSync(keyPath));
const bundle = bundleFromJSON(JSON.parse(readFileSync(bundlePath, "utf8")));
const trusted = {
  certificateAuthorities: [],
  timestampAuthorities: [],
  tlogs: [],
  ctlogs: [],
  publicKey: (hint) => {
    if (hint !== keyId) throw new Error(`the key ${hint} is not trusted`);
    return { publicKey, validFor: () => true };
  },
};
const thresholds = { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 };
new Verifier(trusted, thresholds).verify(toSignedEntity(bundle));
console.log("verified");
