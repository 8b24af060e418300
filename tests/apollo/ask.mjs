// Asks the library at the address given, with Apollo Client as programs use it, and prints what each question came to as JSON.
import * as v4 from "@apollo/client";
import { BatchHttpLink as BatchHttpLink4 } from "@apollo/client/link/batch-http";
import * as v3 from "apollo-client-3/core/index.js";
import { BatchHttpLink as BatchHttpLink3 } from "apollo-client-3/link/batch-http/index.js";

const [uri] = process.argv.slice(2);
const { gql } = v4;

// The two queries of the v0.2 documentation.
const LIST = gql`
  query {
    listDirectory(path: "alice") {
      repository {
        tree {
          blobs { edges { node { name type } } }
          trees { edges { node { name type } } }
        }
      }
    }
  }
`;
const READ = gql`
  query {
    readFile(path: "common/README.md") {
      repository {
        blobs { nodes { name rawBlob rawTextBlob } }
      }
    }
  }
`;

// The same as programs ask: with a name, variables and fragments.
const LIST_NAMED = gql`
  query Folder($path: String!) {
    listDirectory(path: $path) { ...content }
  }
  fragment content on Project {
    repository { tree { trees { edges { node { ...named } } } } }
  }
  fragment named on TreeEntry { name }
`;
const READ_NAMED = gql`
  query Text($path: String!) {
    readFile(path: $path) { repository { blobs { nodes { rawBlob } } } }
  }
`;

// What differs between the versions is in the link's and the error's form, not in what goes over the wire.
const versions = {
  "Apollo Client 4": { Client: v4.ApolloClient, Cache: v4.InMemoryCache, Http: v4.HttpLink, Batch: BatchHttpLink4 },
  "Apollo Client 3": { Client: v3.ApolloClient, Cache: v3.InMemoryCache, Http: v3.HttpLink, Batch: BatchHttpLink3 },
};

const errorOf = (error) => {
  const [first] = error.errors ?? error.graphQLErrors ?? [];
  return first ? { code: first.extensions?.code, message: first.message } : { unexpected: String(error) };
};

const answers = {};
for (const [version, { Client, Cache, Http, Batch }] of Object.entries(versions)) {
  const requests = [];
  const watched = async (address, options) => {
    const url = new URL(address);
    requests.push(`${options.method ?? "GET"}${Array.isArray(options.body && JSON.parse(options.body)) ? " array" : ""}`);
    return fetch(url, options);
  };
  const links = {
    POST: new Http({ uri, fetch: watched }),
    GET: new Http({ uri, fetch: watched, useGETForQueries: true }),
    batch: new Batch({ uri, fetch: watched, batchInterval: 50 }),
  };
  for (const [way, link] of Object.entries(links)) {
    const client = new Client({ link, cache: new Cache() });
    const ask = (query, variables) =>
      client.query({ query, variables, fetchPolicy: "network-only" }).then(({ data }) => data, errorOf);
    requests.length = 0;
    // Together, so that a link that puts questions together does.
    const [list, read, folder, text, missing] = await Promise.all([
      ask(LIST),
      ask(READ),
      ask(LIST_NAMED, { path: "alice/digital twins" }),
      ask(READ_NAMED, { path: "alice/models/spring.txt" }),
      ask(READ_NAMED, { path: "bob/none.txt" }),
    ]);
    answers[`${version}, ${way}`] = { requests: [...requests], list, read, folder, text, missing };
    client.stop();
  }
}
console.log(JSON.stringify(answers));
