// npm `standardwebhooks`: every HMAC delivery verifies with each of its secrets, and none of its
// forgeries does. Arguments: the deliveries, and the folder with the library and what it needs.

const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [file, folder] = process.argv.slice(2);
const { Webhook } = createRequire(`${folder}/`)("standardwebhooks");
const { deliveries } = JSON.parse(readFileSync(file, "utf8"));

let checked = 0;
let refused = 0;
const failures = [];

const accepts = (secret, body, headers) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};

deliveries.forEach((one, index) => {
  if (one.alg !== "hmac") return;
  const headers = Object.fromEntries(one.headers.map(([name, value]) => [name.toLowerCase(), value]));
  const body = Buffer.from(one.body, "base64");
  for (const secret of one.secrets) {
    if (accepts(secret, body.toString("utf8"), headers)) checked += 1;
    else failures.push(`delivery ${index}`);
    for (let place = 0; place < body.length; place += 1) {
      const forged = Buffer.from(body);
      forged[place] ^= 1;
      if (accepts(secret, forged.toString("utf8"), headers)) {
        failures.push(`delivery ${index} with byte ${place} changed is accepted`);
      } else refused += 1;
    }
  }
});
console.log(JSON.stringify({ checked, refused, failures }));
