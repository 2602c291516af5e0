// Parses and binds KQL queries with Microsoft's own parser. Standard input: {tables: {name: schema}, queries: [text]};
// standard output: for each query the list of what is wrong with it.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
const { readFileSync } = require("node:fs");

const { tables, queries } = JSON.parse(readFileSync(0, "utf8"));
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const symbols = Object.entries(tables).map(([name, schema]) => new Symbols.TableSymbol.$ctor7(name, schema, null));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("workspace", symbols));

const told = queries.map((query) => {
  const found = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, number) => {
    const { Severity, Code, Message } = found.getItem(number);
    return `${Severity} ${Code}: ${Message}`;
  });
});
process.stdout.write(JSON.stringify(told));
