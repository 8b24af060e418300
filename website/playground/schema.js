// The schema, as the server tells it. Nothing here touches the page.

/** Asks for all that is shown. */
export const INTROSPECTION = `query Schema {
  __schema {
    queryType { name }
    mutationType { name }
    types {
      kind name description
      fields { name description args { name description defaultValue type { ...Of } } type { ...Of } }
      inputFields { name description defaultValue type { ...Of } }
      enumValues { name description }
      possibleTypes { name }
    }
  }
}
fragment Of on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;

/** A type as GraphQL writes it: `[Blob!]!`. */
export function typeText({ kind, name, ofType }) {
  if (kind === 'NON_NULL') return `${typeText(ofType)}!`;
  if (kind === 'LIST') return `[${typeText(ofType)}]`;
  return name;
}

/** The name of what a type is made of. */
export const bareName = ({ name, ofType }) => (ofType ? bareName(ofType) : name);

/** The types, those that questions begin with first, the rest by their names; the language's own are left out. */
export function typesOf({ queryType, mutationType, types }) {
  const first = [queryType?.name, mutationType?.name].filter(Boolean);
  const rank = ({ name }) => (first.includes(name) ? first.indexOf(name) : first.length);
  return types
    .filter(({ name }) => !name.startsWith('__'))
    .sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
}

/** What stands in a type: its fields, or the values of an enumeration. */
export const members = (type) => type.fields ?? type.inputFields ?? type.enumValues ?? [];

/**
 * The types that hold the words of a search, each with the members that do: [{ type, members }]. A type whose own name
 * holds them comes with all of its members.
 */
export function search(types, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (...texts) => words.every((word) => texts.some((text) => text?.toLowerCase().includes(word)));
  return types
    .map((type) => {
      const all = members(type);
      if (holds(type.name)) return { type, members: all };
      const found = all.filter(({ name, description }) => holds(name, description, type.name));
      return { type, members: found };
    })
    .filter(({ type, members: found }) => found.length || holds(type.name, type.description));
}

/** Whether a schema has each of these fields, written Type.field. */
export function hasAll(types, needs) {
  return needs.every((need) => {
    const [name, field] = need.split('.');
    const type = types.find((one) => one.name === name);
    return type !== undefined && members(type).some((member) => member.name === field);
  });
}
