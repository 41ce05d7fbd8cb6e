// Many credentials, judged by verifiers of npm that are not ours. Input (stdin):
// {verifier, questions: [{credential | token, documents: {url: JSON text}, now}]}; output: a list of
// {signature, status, schema, error}. Only what is in `documents` can be loaded: no network.
import {readFileSync} from 'node:fs';

const {verifier, questions} = JSON.parse(readFileSync(0, 'utf8'));
let documents = {};

// verifier-core brings its own way to fetch, which ends here.
globalThis.fetch = async input => {
  const url = typeof input === 'string' ? input : input.url;
  const text = documents[url];
  const headers = {'content-type': 'application/json'};
  return text === undefined ? new Response('{}', {status: 404, headers}) : new Response(text, {headers});
};

function at(moment) {
  // The libraries take no other time than the machine's.
  const Real = Date;
  const shift = new Real(moment).getTime() - Real.now();
  globalThis.Date = class extends Real {
    constructor(...given) {
      given.length ? super(...given) : super(Real.now() + shift);
    }
    static now() {
      return Real.now() + shift;
    }
  };
  return () => {
    globalThis.Date = Real;
  };
}

const told = errors => errors.map(({name, message}) => message || name).join('; ') || null;

// -- Digital Bazaar

async function byDigitalBazaar() {
  const {DataIntegrityProof} = await import('@digitalbazaar/data-integrity');
  const {cryptosuite} = await import('@digitalbazaar/eddsa-rdfc-2022-cryptosuite');
  const {verifyCredential} = await import('@digitalbazaar/vc');
  const {checkStatus} = await import('@digitalbazaar/vc-bitstring-status-list');
  const suite = () => new DataIntegrityProof({cryptosuite});

  async function documentLoader(url) {
    const found = documents[didUrl(url)] ?? documents[url];
    if(found === undefined) {
      throw new Error(`not at hand: ${url}`);
    }
    const document = JSON.parse(found);
    const method = document.verificationMethod?.find(({id}) => id === url);
    if(url.includes('#') && url.startsWith('did:') && !method) {
      throw new Error(`not at hand: ${url}`);
    }
    return {
      contextUrl: null, documentUrl: url,
      document: method ? {'@context': 'https://w3id.org/security/multikey/v1', ...method} : document
    };
  }

  return async ({credential}) => {
    let status = null;
    const result = await verifyCredential({
      credential, suite: suite(), documentLoader, now: new Date(),
      checkStatus: credential.credentialStatus && (async ({credential}) => {
        const answer = await checkStatus({
          credential, suite: suite(), documentLoader, verifyBitstringStatusListCredential: true
        });
        status = answer.verified ? !answer.results?.some(({status}) => status === true) : null;
        return answer;
      })
    });
    return {
      signature: result.verified, status, schema: null,
      error: told(result.error?.errors ?? (result.error ? [result.error] : []))
    };
  };
}

function didUrl(url) {
  if(!url.startsWith('did:web:')) {
    return url;
  }
  const [host, ...path] = url.split('#')[0].slice(8).split(':').map(decodeURIComponent);
  return `https://${host}/${path.length ? path.join('/') : '.well-known'}/did.json`;
}

// -- Digital Credentials Consortium

async function byVerifierCore() {
  const {verifyCredential} = await import('@digitalcredentials/verifier-core');
  return async ({credential}) => {
    const answer = await verifyCredential({credential, knownDIDRegistries: []});
    const step = id => answer.log?.find(entry => entry.id === id);
    // One step for each purpose: revocation_status, suspension_status.
    const states = answer.log?.filter(({id}) => id.endsWith('_status')) ?? [];
    const unknown = states.find(({error}) => error);
    const schemas = answer.additionalInformation?.find(({id}) => id === 'schema_check')?.results;
    const all = Array.isArray(schemas) ? schemas.map(({result}) => result.valid) : [];
    const errors = answer.errors ?? [];
    return {
      signature: step('valid_signature')?.valid ?? false,
      // What has expired is not what was signed wrongly: it says so in a step of its own.
      valid: step('expiration')?.valid ?? null,
      status: states.length && !unknown ? states.every(({valid}) => valid) : null,
      schema: all.length ? all.every(Boolean) : null,
      error: told(errors) ?? unknown?.error.message ?? null
    };
  };
}

// -- tokens

async function byJose() {
  const {compactVerify, decodeJwt, decodeProtectedHeader, importJWK, jwtVerify} = await import('jose');
  return async ({token}) => {
    try {
      const {kid} = decodeProtectedHeader(token);
      const {iss} = decodeJwt(token);
      const document = JSON.parse(documents[didUrl(kid)] ?? documents[kid] ?? 'null');
      const entry = document?.verificationMethod?.find(({id}) => id === kid);
      if(!entry || entry.controller !== iss || !document.assertionMethod.includes(kid)) {
        throw new Error(`the issuer has no key ${kid}`);
      }
      const key = await importJWK(entry.publicKeyJwk, entry.publicKeyJwk.alg);
      const {payload} = await jwtVerify(token, key, {
        algorithms: ['RS256', 'ES256'], currentDate: new Date(), requiredClaims: ['iss', 'jti', 'sub', 'nbf']
      });
      return {signature: payload.jti === payload.id, status: null, schema: null, error: null};
    } catch({message}) {
      return {signature: false, status: null, schema: null, error: message};
    }
  };
}

const judge = await {
  digitalbazaar: byDigitalBazaar, 'verifier-core': byVerifierCore, jose: byJose
}[verifier]();
const answers = [];
for(const question of questions) {
  documents = question.documents;
  const back = at(question.now);
  try {
    answers.push(await judge(question));
  } catch(error) {
    answers.push({signature: false, status: null, schema: null, error: String(error)});
  } finally {
    back();
  }
}
process.stdout.write(JSON.stringify(answers));
