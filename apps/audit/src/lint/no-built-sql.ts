import { AST_NODE_TYPES as kind, type TSESLint, type TSESTree } from '@typescript-eslint/utils';

/** The values of Kysely that can hold no text that was built; its types are free. */
const soundValues = new Set(['Kysely', 'PostgresDialect', 'sql']);
/** Members of `sql` whose arguments become parameters. */
const takesValues = new Set(['join', 'val']);
/** Members of `sql` whose arguments become names: quoted, yet whoever chooses a name chooses what is read. */
const takesNames = new Set(['ref', 'table', 'id']);
/** Members that make SQL of text (`sql.lit`, `eb.lit`), or run what was made elsewhere. */
const forbiddenMembers = new Set(['lit', 'dynamic', 'executeQuery']);
/** A name that others have too: refused where the database is known, by any import of it. */
const rawMember = 'raw';
const knowsDatabase = /^(?:pg|kysely)$|database/;
/** The names of functions go into the statement as they are. */
const takesFunctionName = new Set(['fn', 'agg']);

const messages = {
  sqlIsATag: 'Text never becomes SQL: sql is used as the tag of a template, or as sql.ref, sql.table, sql.id with names written out, sql.join, sql.val.',
  nameIsWrittenOut: 'The name of a column, a table or a function is written out where it is used.',
  member: 'Text never becomes SQL: .{{name}} takes text that was built, or runs it.',
  kyselyValue: 'Of Kysely only sql (under its own name), Kysely and PostgresDialect are imported as values, statically and by name.',
  query: 'The driver gets a statement that is written out, with its parameters beside it.',
} as const;

type Context = Readonly<TSESLint.RuleContext<keyof typeof messages, []>>;

/**
 * Refuses every way of this repository's SQL libraries to make a statement of text that was built. It knows no types: members are told apart
 * by name, so it also holds where a value lost its type. Moving `query` away from the driver is refused in files that import it.
 */
export const noBuiltSql: TSESLint.RuleModule<keyof typeof messages> = {
  meta: { type: 'problem', schema: [], messages, docs: { description: 'Text never becomes SQL.' } },
  create: (context) => ({ ...importListeners(context), ...memberListeners(context) }),
};

const isKysely = (source: TSESTree.Node | null): boolean => source?.type === kind.Literal && typeof source.value === 'string' && /^kysely(?:\/|$)/.test(source.value);

function importListeners(context: Context): TSESLint.RuleListener {
  const refuse = (node: TSESTree.Node): void => context.report({ node, messageId: 'kyselyValue' });
  return {
    ImportDeclaration(node) {
      if (node.importKind === 'type' || !isKysely(node.source)) return;
      for (const specifier of node.specifiers) checkSpecifier(context, specifier);
    },
    ExportNamedDeclaration(node) {
      if (node.exportKind !== 'type' && isKysely(node.source) && node.specifiers.some(({ exportKind }) => exportKind !== 'type')) refuse(node);
    },
    ExportAllDeclaration(node) {
      if (node.exportKind !== 'type' && isKysely(node.source)) refuse(node);
    },
    ImportExpression(node) {
      if (isKysely(node.source)) refuse(node);
    },
    CallExpression(node) {
      if (node.callee.type === kind.Identifier && node.callee.name === 'require' && isKysely(node.arguments[0] ?? null)) refuse(node);
    },
  };
}

function checkSpecifier(context: Context, specifier: TSESTree.ImportClause): void {
  if (specifier.type === kind.ImportSpecifier && specifier.importKind === 'type') return;
  const name = specifier.type === kind.ImportSpecifier && specifier.imported.type === kind.Identifier ? specifier.imported.name : '';
  if (!soundValues.has(name) || (name === 'sql' && specifier.local.name !== 'sql')) context.report({ node: specifier, messageId: 'kyselyValue' });
  if (name !== 'sql') return;
  for (const { identifier } of context.sourceCode.getDeclaredVariables(specifier).flatMap(({ references }) => references)) checkUseOfSql(context, identifier);
}

/** Everything but a tag and a few calls is refused: what was handed on under another name could not be followed. */
function checkUseOfSql(context: Context, identifier: TSESTree.Identifier | TSESTree.JSXIdentifier): void {
  const { parent } = identifier;
  if (parent.type === kind.TSTypeQuery || (parent.type === kind.TaggedTemplateExpression && parent.tag === identifier)) return;
  const call = parent.type === kind.MemberExpression && parent.parent.type === kind.CallExpression && parent.parent.callee === parent ? parent.parent : null;
  const member = call && nameOf(call.callee);
  if (call === null || member === null || !(takesValues.has(member) || takesNames.has(member))) {
    context.report({ node: identifier, messageId: 'sqlIsATag' });
  } else if (takesNames.has(member) && !call.arguments.every((argument) => isWrittenOut(context, argument))) {
    context.report({ node: call, messageId: 'nameIsWrittenOut' });
  }
}

function memberListeners(context: Context): TSESLint.RuleListener {
  const sources = context.sourceCode.ast.body.flatMap((statement) => (statement.type === kind.ImportDeclaration ? [statement.source.value] : []));
  const knowsDriver = sources.includes('pg');
  const refusesRaw = sources.some((source) => knowsDatabase.test(source));
  const checkName = (node: TSESTree.Node, name: string | null, isCalled: boolean): void => {
    if (name !== null && (forbiddenMembers.has(name) || (name === rawMember && refusesRaw))) context.report({ node, messageId: 'member', data: { name } });
    if (name === 'query' && knowsDriver && !isCalled) context.report({ node, messageId: 'query' });
  };
  return {
    MemberExpression(node) {
      const isCalled = node.parent.type === kind.CallExpression && node.parent.callee === node;
      if (isCalled) checkCall(context, node.parent as TSESTree.CallExpression, node, knowsDriver);
      // String.raw makes text, no statement.
      if (!(node.object.type === kind.Identifier && node.object.name === 'String')) checkName(node, nameOf(node), isCalled);
    },
    'ObjectPattern > Property'(node: TSESTree.Property) {
      checkName(node, node.key.type === kind.Identifier && !node.computed ? node.key.name : textOf(node.key), false);
    },
  };
}

function checkCall(context: Context, call: TSESTree.CallExpression, callee: TSESTree.MemberExpression, knowsDriver: boolean): void {
  const name = nameOf(callee);
  const [first] = call.arguments;
  if (name === null && knowsDriver) context.report({ node: call, messageId: 'query' });
  if (first === undefined || name === null) return;
  if (name === 'query' && !isWrittenOut(context, first) && !isStatementObject(context, first)) context.report({ node: call, messageId: 'query' });
  const isMock = callee.object.type === kind.Identifier && callee.object.name === 'vi';
  if (takesFunctionName.has(name) && !isMock && !isWrittenOut(context, first)) context.report({ node: call, messageId: 'nameIsWrittenOut' });
}

/** The name of the member where it is written out, else null. */
function nameOf(node: TSESTree.Node): string | null {
  if (node.type !== kind.MemberExpression) return null;
  return node.computed ? textOf(node.property) : (node.property as TSESTree.Identifier).name;
}

function textOf(node: TSESTree.Node): string | null {
  if (node.type === kind.Literal) return String(node.value);
  return node.type === kind.TemplateLiteral && node.expressions.length === 0 ? (node.quasis[0]?.value.cooked ?? null) : null;
}

/** A text in the source, or a constant that is one. */
function isWrittenOut(context: Context, node: TSESTree.Node): boolean {
  if (node.type !== kind.Identifier) return textOf(node) !== null;
  const reference = context.sourceCode.getScope(node).references.find(({ identifier }) => identifier === node);
  const [definition, ...others] = reference?.resolved?.defs ?? [];
  if (definition?.node.type !== kind.VariableDeclarator || others.length > 0) return false;
  const { id, init, parent } = definition.node;
  return parent.kind === 'const' && id.type === kind.Identifier && init !== null && textOf(init) !== null;
}

/** `{ text: 'select …', values: […] }`, as the driver takes it. */
function isStatementObject(context: Context, node: TSESTree.Node): boolean {
  if (node.type !== kind.ObjectExpression) return false;
  const texts = node.properties.filter((property) => property.type !== kind.Property || property.computed || (property.key.type === kind.Identifier ? property.key.name : textOf(property.key)) === 'text');
  return texts.length === 1 && texts.every((property) => property.type === kind.Property && !property.computed && isWrittenOut(context, property.value));
}
