// Questions to begin with. `needs` names fields of the schema (Type.field): a library that lacks one does not show the example.

export const EXAMPLES = [
  {
    name: 'What a folder holds',
    needs: ['Query.listDirectory'],
    query: `query ($path: String!) {
  listDirectory(path: $path) {
    repository {
      tree {
        trees { edges { node { name type } } }
        blobs { edges { node { name type } } }
      }
    }
  }
}`,
    variables: { path: '' },
  },
  {
    name: 'The text of a file',
    needs: ['Query.readFile'],
    query: `query ($path: String!) {
  readFile(path: $path) {
    repository {
      blobs { nodes { name rawBlob rawTextBlob } }
    }
  }
}`,
    variables: { path: 'common/README.md' },
  },
  {
    name: 'Size, time and digest of files',
    needs: ['Blob.size', 'Blob.modified', 'Blob.mediaType', 'Blob.sha256'],
    query: `query ($path: String!) {
  listDirectory(path: $path) {
    repository {
      tree {
        blobs { edges { node { name size modified mediaType sha256 } } }
      }
    }
  }
}`,
    variables: { path: 'common' },
  },
  {
    name: 'A large folder, page by page',
    needs: ['BlobConnection.pageInfo', 'BlobConnection.count'],
    query: `query ($path: String!, $after: String) {
  listDirectory(path: $path) {
    repository {
      tree {
        blobs(first: 100, after: $after) {
          count
          pageInfo { hasNextPage endCursor }
          edges { node { name } }
        }
      }
    }
  }
}`,
    variables: { path: 'common', after: null },
  },
  {
    name: 'Everything with a name like this',
    needs: ['Query.search', 'SearchConnection.edges'],
    query: `query ($path: String!, $name: String!) {
  search(path: $path, name: $name) {
    edges { node { path type } }
  }
}`,
    variables: { path: '', name: '*.md' },
  },
  {
    name: 'Digital twins and their phases',
    needs: ['Query.digitalTwins', 'DigitalTwin.path', 'DigitalTwin.phases', 'LifecyclePhase.executable'],
    query: `query ($path: String!) {
  digitalTwins(path: $path) {
    name
    path
    phases { name path executable }
  }
}`,
    variables: { path: '' },
  },
];
