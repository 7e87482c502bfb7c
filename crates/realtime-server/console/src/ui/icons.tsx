// The icons of the navigation: drawn on a 16 × 16 grid, decoration only.
const PATHS: Record<string, string> = {
  overview: "M2 13.5h12M4 11V8M8 11V3.5M12 11V6",
  connections: "M5.5 8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13c.4-2 2-3 4-3s3.6 1 4 3M10.5 4a2.2 2.2 0 0 1 0 4.2M12 10.3c1.4.4 2.2 1.3 2.5 2.7",
  topics: "M6 2.5 4.5 13.5M11.5 2.5 10 13.5M2.5 5.5h11.5M2 10.5h11.5",
  tail: "M2.5 4h11M2.5 8h7M2.5 12h4M12.5 8.5v5M10.5 11.5l2 2 2-2",
  publish: "M14 2 2 7l4.5 2.5L9 14ZM6.5 9.5 14 2",
  explain: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.2 6.3c.2-1 .9-1.6 1.9-1.6s1.8.6 1.8 1.5c0 1.3-1.9 1.4-1.9 2.8M8 11.3v.1",
  revocations: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM3.8 3.8l8.4 8.4",
  try: "M2.5 3.5h11v9h-11ZM5 6.5l2 1.7-2 1.7M8.5 10h2.5",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  close: "M4 4l8 8M12 4l-8 8",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name] ?? ""} />
    </svg>
  );
}
