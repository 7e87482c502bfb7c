// Reads an AsyncAPI document with AsyncAPI's own parser; fails if the parser refuses it.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 0);
for (const { message, path } of errors) console.error(`${path.join("/")}: ${message}`);
if (!document || errors.length > 0) process.exit(1);
console.log(`${document.channels().length} channels, ${document.operations().length} operations`);
