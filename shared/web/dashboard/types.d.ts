// What the page's own modules hand to each other, beside what the API answers (answers.d.ts).

/** What an element may hold: other elements, texts, and nothing in place of what is not said. */
type Child = Node | string | number | boolean | null | undefined | readonly Child[];

/** Attributes by name, and listeners by the name of their event. */
type Properties = Record<string, string | number | boolean | null | undefined | ((event: any) => void)>;

/** What is looked at; "" for what is not. */
type Address = Record<"account" | "job" | "pool" | "node" | "event" | "q" | "show" | "sort" | "by", string>;

/** Which node, as events name it; and what was at the end of its stderr.txt and stdout.txt if they were fetched. */
interface NodeName {
  poolId: string;
  nodeId: string;
  stderrTail?: string;
  stdoutTail?: string;
}

/**
 * The lists beside the jobs, null until they were read; what could not be read, and why; how many events and jobs are
 * wanted; and the jobs of the events that name the node which is looked for.
 */
interface Lists {
  webhooks: WebhookView[] | null;
  mutes: MuteView[] | null;
  events: EventView[] | null;
  pools: PoolView[] | null;
  trends: TrendsView | null;
  trendsOf: string;
  found: string[];
  jobs: number;
  seen: string;
  trouble: Partial<Record<"webhooks" | "mutes" | "events" | "pools" | "trends", string>>;
  more: number;
}

/** How a standing, an outcome or a type of event is drawn: its shape, its colour and its words. */
type Look = [string, string, string];
