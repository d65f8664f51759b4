// Stands for an identity provider: writes its public key to jwks.json, and prints a token for ann.
import { generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "ES256" };
writeFileSync("jwks.json", JSON.stringify({ keys: [key] }));

const now = Math.floor(Date.now() / 1000);
const claims = { iss: "https://accounts.example", aud: "streamgate", sub: "ann", iat: now, exp: now + 600, plan: "premium" };
const encoded = [{ alg: "ES256", typ: "JWT", kid: "one" }, claims]
  .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
  .join(".");
const signature = sign("sha256", Buffer.from(encoded), { key: privateKey, dsaEncoding: "ieee-p1363" });
console.log(`${encoded}.${signature.toString("base64url")}`);
