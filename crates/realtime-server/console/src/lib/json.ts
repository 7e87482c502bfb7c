// A JSON reader that knows where things are: the line and column of an error, and of the value at a JSON pointer.

export interface Spot {
  line: number;
  column: number;
}

export type Parsed =
  | { ok: true; value: unknown; find(pointer: string): Spot | undefined }
  | { ok: false; message: string; at: Spot };

class Fault extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/** Arrays and objects inside each other that the server accepts in a payload. */
const DEEPEST = 64;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = ["true", "false", "null"];

export function parseJson(text: string): Parsed {
  const offsets = new Map<string, number>();
  try {
    new Scanner(text, offsets).document();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { ok: false, message: error.message, at: spot(text, error.offset) };
  }
  const find = (pointer: string): Spot | undefined => {
    const offset = offsets.get(pointer);
    return offset === undefined ? undefined : spot(text, offset);
  };
  return { ok: true, value: JSON.parse(text), find };
}

function spot(text: string, offset: number): Spot {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

class Scanner {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly offsets: Map<string, number>,
  ) {}

  document(): void {
    this.blank();
    if (this.at === this.text.length) throw new Fault("There is no value. Write {} for an empty object.", this.at);
    this.value("", 0);
    this.blank();
    if (this.at < this.text.length) throw new Fault("There is more after the end of the value.", this.at);
  }

  private value(pointer: string, depth: number): void {
    this.offsets.set(pointer, this.at);
    if (depth > DEEPEST) throw new Fault(`There are more than ${DEEPEST} arrays and objects inside each other.`, this.at);
    const first = this.text[this.at];
    if (first === "{") return this.object(pointer, depth);
    if (first === "[") return this.array(pointer, depth);
    if (first === '"') return void this.string();
    const word = WORDS.find((known) => this.text.startsWith(known, this.at));
    if (word !== undefined) {
      this.at += word.length;
      return;
    }
    NUMBER.lastIndex = this.at;
    const number = NUMBER.exec(this.text);
    if (!number) throw new Fault(this.expected("a value"), this.at);
    this.at += number[0].length;
  }

  private object(pointer: string, depth: number): void {
    this.at += 1;
    this.blank();
    if (this.take("}")) return;
    for (;;) {
      this.blank();
      if (this.text[this.at] !== '"') throw new Fault(this.expected("a name in double quotes"), this.at);
      const name = this.string().replaceAll("~", "~0").replaceAll("/", "~1");
      this.blank();
      if (!this.take(":")) throw new Fault(this.expected("a colon after the name"), this.at);
      this.blank();
      this.value(`${pointer}/${name}`, depth + 1);
      this.blank();
      if (this.take("}")) return;
      if (!this.take(",")) throw new Fault(this.expected("a comma or }"), this.at);
    }
  }

  private array(pointer: string, depth: number): void {
    this.at += 1;
    this.blank();
    if (this.take("]")) return;
    for (let index = 0; ; index += 1) {
      this.blank();
      this.value(`${pointer}/${index}`, depth + 1);
      this.blank();
      if (this.take("]")) return;
      if (!this.take(",")) throw new Fault(this.expected("a comma or ]"), this.at);
    }
  }

  private string(): string {
    const start = this.at;
    this.at += 1;
    while (this.text[this.at] !== '"') {
      const character = this.text[this.at];
      if (character === undefined) throw new Fault("The text has no closing double quote.", start);
      if (character < " ") throw new Fault("A text can't contain a line break or another control character. Write \\n.", this.at);
      this.at += character === "\\" ? 2 : 1;
    }
    this.at += 1;
    const raw = this.text.slice(start, this.at);
    try {
      return JSON.parse(raw) as string;
    } catch {
      throw new Fault("The text has an escape that JSON does not know.", start);
    }
  }

  private blank(): void {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at += 1;
  }

  private take(character: string): boolean {
    const found = this.text[this.at] === character;
    if (found) this.at += 1;
    return found;
  }

  private expected(what: string): string {
    const found = this.text[this.at];
    return `Expected ${what}, found ${found === undefined ? "the end" : `\`${found}\``}.`;
  }
}
