// One credential, judged by Digital Bazaar's verifiers. Input (stdin): {credential, documents: {url: JSON}};
// output: {verified, error, revoked}. Only what is in `documents` can be loaded: no network.
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {cryptosuite} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import {verifyCredential} from '@digitalbazaar/vc';
import {checkStatus} from '@digitalbazaar/vc-bitstring-status-list';
import {readFileSync} from 'node:fs';

const {credential, documents, now} = JSON.parse(readFileSync(0, 'utf8'));

async function documentLoader(url) {
  if(url in documents) {
    return {contextUrl: null, documentUrl: url, document: documents[url]};
  }
  const [controller] = url.split('#');
  const method = documents[controller]?.verificationMethod?.find(({id}) => id === url);
  if(!method) {
    throw new Error(`not at hand: ${url}`);
  }
  return {
    contextUrl: null, documentUrl: url,
    document: {'@context': 'https://w3id.org/security/multikey/v1', ...method}
  };
}

let revoked = null;
const suite = () => new DataIntegrityProof({cryptosuite});
const result = await verifyCredential({
  credential, suite: suite(), documentLoader, now: new Date(now),
  checkStatus: async ({credential}) => {
    const answer = await checkStatus({
      credential, suite: suite(), documentLoader, verifyBitstringStatusListCredential: true
    });
    revoked = answer.results?.some(({status}) => status === true) ?? null;
    return answer;
  }
});
const errors = result.error?.errors ?? (result.error ? [result.error] : []);
process.stdout.write(JSON.stringify({
  verified: result.verified, revoked, error: errors.map(({message}) => message).join('; ') || null
}));
