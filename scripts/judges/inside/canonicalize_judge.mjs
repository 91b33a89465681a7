// npm `canonicalize`: the payload of every entry is the SHA-256 of its body in canonical form.
// Arguments: the material, and the library's module.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [materialFile, library] = process.argv.slice(2);
const { default: canonicalize } = await import(pathToFileURL(library).href);
const material = JSON.parse(readFileSync(materialFile, "utf8"));
const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");

let checked = 0;
const failures = [];
const expect = (good, what) => {
  if (good) checked += 1;
  else failures.push(what);
};

for (const group of material.sets) {
  group.statements.forEach((one, index) => {
    const digest = sha256(canonicalize(one.body));
    expect(digest === one.payload, `${group.name} statement ${index}: body hash is ${digest}`);
  });
}
for (const { input, canonical } of material.canonical) {
  const found = canonicalize(JSON.parse(input));
  expect(found === canonical, `${input} becomes ${found}`);
}
console.log(JSON.stringify({ checked, refused: 0, failures }));
