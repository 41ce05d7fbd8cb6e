// Badges signed by npm's @digitalbazaar/vc, as tests/bench asks. Input (stdin): {credentials, contexts: {url:
// document}}; output: the CPU seconds that signing all of them took, after one that does not count.
import {readFileSync} from 'node:fs';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import {cryptosuite} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import {issue} from '@digitalbazaar/vc';

const {credentials, contexts} = JSON.parse(readFileSync(0, 'utf8'));
const controller = credentials[0].issuer.id;
const pair = await Ed25519Multikey.generate({id: `${controller}#key-1`, controller});
const suite = () => new DataIntegrityProof({signer: pair.signer(), cryptosuite});

async function documentLoader(url) {
  if(!contexts[url]) {
    throw new Error(`not at hand: ${url}`);
  }
  return {contextUrl: null, documentUrl: url, document: contexts[url]};
}

const sign = credential => issue({credential: structuredClone(credential), suite: suite(), documentLoader});
await sign(credentials[0]);
const started = process.cpuUsage();
for(const credential of credentials) {
  await sign(credential);
}
const {user, system} = process.cpuUsage(started);
console.log((user + system) / 1e6);
