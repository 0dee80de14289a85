// Our own models: the six decisions, a packet's way with the headers it wears, and what a node more costs.
// Everything here is drawn from the blueprint. What must not be here: anything about the originals.
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { dodge } from "./geometry";
import { Figure, Scroll, Section, useWidth } from "./parts";
import type { Growth, Header, Hop, Page, Walk } from "./types";

/** How a model of ours is called: never by the provider's name alone. */
export function ours(name: string): string {
  return `our model of ${name.split(":")[0]} (octet ${name})`;
}

export function SixDecisions({ page }: { page: Page }) {
  const fields = Object.keys(page.decisions);
  return (
    <Section
      id="decisions"
      title="Our models: six decisions each"
      lead="A pod network is six decisions, and a model is one choice for each. These are octet's own rows, which can be run and measured here; they are not the originals."
    >
      <Scroll label="Six decisions of each of our models">
        <table class="grid six">
          <caption class="sr">The six decisions of each of our models</caption>
          <thead>
            <tr>
              <th scope="col">Our model</th>
              {fields.map((field) => (
                <th key={field} scope="col">
                  {field}
                  <small>{page.decisions[field]}</small>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {page.models.map((model) => (
              <tr key={model.name} data-model={model.name}>
                <th scope="row">
                  octet {model.name}
                  <small>{ours(model.name)}</small>
                </th>
                {fields.map((field) => (
                  <td key={field}>
                    {model.choices[field] === "-" ? (
                      <span class="muted">left to others</span>
                    ) : (
                      model.choices[field]
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <h3>What our models can do</h3>
      <p class="lead">
        Worked out from the rows and from the packets’ ways below, never typed in. What your kernel has of
        what they need, <code>octet doctor</code> tells.
      </p>
      <OurFacts page={page} />
      {page.models.map((model) => (
        <details key={model.name} class="about">
          <summary>What {ours(model.name)} is, and where it departs from the original</summary>
          <p>{model.about}</p>
        </details>
      ))}
    </Section>
  );
}

function OurFacts({ page }: { page: Page }) {
  const keys = page.models[0]?.facts.map((fact) => fact.key) ?? [];
  const titles = new Map(page.keys.map((key) => [key.key, key.title]));
  return (
    <Scroll label="What our models can do">
      <table class="grid ours">
        <caption class="sr">What our models can do</caption>
        <thead>
          <tr>
            <th scope="col">Question</th>
            {page.models.map((model) => (
              <th key={model.name} scope="col">
                octet {model.name}
                <small>our model</small>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key}>
              <th scope="row">{titles.get(key) ?? page.limits[key] ?? key}</th>
              {page.models.map((model) => {
                const fact = model.facts.find((one) => one.key === key);
                const unknown = !fact || fact.text === "unknown";
                return (
                  <td
                    key={model.name}
                    class={unknown ? "unknown-cell" : ""}
                    data-model={model.name}
                    data-key={key}
                  >
                    {fact?.text ?? "unknown"}
                    {fact?.note && <small>{fact.note}</small>}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function Packets({ page }: { page: Page }) {
  return (
    <Section
      id="packets"
      title="A packet’s way, and the headers it wears"
      lead="From a pod on node1 to a pod on node2, followed through what each model would put on the nodes. Outer headers stand out to the left; the numbers are bytes of the largest packet that fits. Drawn by code from the models’ blueprints."
    >
      <div class="walks">
        {page.walks.map((walk) => (
          <WalkFigure key={walk.model} walk={walk} />
        ))}
      </div>
    </Section>
  );
}

const SHORT: Record<string, string> = {
  Ethernet: "Eth",
  IPv4: "IPv4",
  IPv6: "IPv6",
  VXLAN: "VXLAN",
  data: "data",
};

function size(hop: Hop): number {
  return hop.headers.reduce((sum, header) => sum + header.size, 0);
}

function WalkFigure({ walk }: { walk: Walk }) {
  const columns = ["Machine", "Device", "What happens", "Headers, outermost first", "Bytes"];
  const rows = walk.hops.map((hop) => [
    hop.machine,
    hop.device,
    hop.does,
    hop.headers.map((header) => `${header.protocol} ${header.size}`).join(" | "),
    size(hop),
  ]);
  const room = `pods get ${walk.pod_mtu} of the underlay’s ${walk.underlay_mtu} bytes`;
  const spare = walk.pod_mtu < walk.underlay_mtu ? ", which leaves room for the tunnel to others" : "";
  const cost = walk.overhead
    ? `${walk.overhead} bytes more between nodes; ${room}`
    : `nothing is added between these nodes; ${room}${spare}`;
  return (
    <Figure
      title={`octet ${walk.model}`}
      caption={`${ours(walk.model)}: ${cost}.`}
      twin={{ columns, rows }}
      class="walk"
    >
      <ol>
        {walk.hops.map((hop, index) => (
          <li
            key={`${hop.machine} ${hop.device} ${index}`}
            class={`${hop.machine.startsWith("pod") ? "in-pod" : "in-node"} ${hop.machine !== walk.hops[index - 1]?.machine ? "enters" : ""}`}
          >
            <div class="hop">
              {hop.machine !== walk.hops[index - 1]?.machine && <span class="machine">{hop.machine}</span>}
              <span class="device">
                <b>{hop.device}</b> <span class="muted">{hop.kind}</span>
              </span>
              <span class="does">{hop.does}</span>
              {hop.because.length > 0 && (
                <details class="because">
                  <summary>
                    because
                    <span class="sr">
                      {" "}
                      of these kernel objects on {hop.machine}, {hop.device}
                    </span>
                  </summary>
                  {hop.because.map((line) => (
                    <code key={line}>{line}</code>
                  ))}
                </details>
              )}
            </div>
            <Packet headers={hop.headers} />
          </li>
        ))}
      </ol>
    </Figure>
  );
}

/** The packet as a bar, right-aligned, so that outer headers stick out to the left. Widths are not to scale. */
function Packet({ headers }: { headers: Header[] }) {
  return (
    <div class="packet">
      {headers.map((header, index) => (
        <span
          key={`${header.protocol} ${index}`}
          class={`header h-${header.protocol.toLowerCase()} ${isOuter(headers, index) ? "outer" : ""}`}
          title={describe(header)}
        >
          <b>{SHORT[header.protocol] ?? header.protocol}</b>
          <small>{header.size}</small>
          <span class="sr"> bytes {describe(header)}; </span>
        </span>
      ))}
    </div>
  );
}

/** Is this header outside of the pod's own packet: is there another IP header further in? */
export function isOuter(headers: Header[], index: number): boolean {
  const inner = headers.map((header) => header.protocol.startsWith("IPv")).lastIndexOf(true);
  const frame = headers[inner - 1]?.protocol === "Ethernet" ? inner - 1 : inner;
  return index < frame || (frame === inner && index < inner);
}

function describe(header: Header): string {
  const way = header.source || header.destination ? `${header.source} → ${header.destination}` : "";
  return [way, ...header.notes].filter(Boolean).join(", ");
}

export function GrowthSection({ page }: { page: Page }) {
  const columns = ["Our model", ...(page.growth[0]?.points ?? []).map((point) => `${point.nodes} nodes`)];
  const rows = page.growth.map((one) => [`octet ${one.name}`, ...one.points.map((point) => point.objects)]);
  return (
    <Section
      id="growth"
      title="What growth costs"
      lead="How many kernel objects (links, addresses, routes, neighbours, forwarding entries, rules) one node holds as the cluster grows, without pods: counted in the blueprints, so it is exact, and not a measurement."
    >
      <Figure title="Kernel objects on one node by nodes of the cluster" twin={{ columns, rows }}>
        <GrowthChart growth={page.growth} />
      </Figure>
      <p class="note">
        <b>Not measured yet:</b> how throughput, new connections and programming time change with pods,
        services, policies and nodes. <code>make bench</code> measures attaching one pod against fifty at
        once; its figures are in docs/benchmarks.md.
      </p>
    </Section>
  );
}

function GrowthChart({ growth }: { growth: Growth[] }) {
  const { ref, width } = useWidth();
  const height = 300;
  const right = width < 560 ? 128 : 170;
  const counts = growth.flatMap((one) => one.points);
  if (!counts.length) return null;
  const nodes = counts.map((point) => point.nodes);
  const objects = counts.map((point) => point.objects);
  const x = scaleLinear([0, Math.max(...nodes)], [44, width - right]);
  const y = scaleLinear([0, Math.max(...objects) * 1.05], [height - 36, 14]);
  const path = line<{ nodes: number; objects: number }>(
    (point) => x(point.nodes),
    (point) => y(point.objects),
  );
  const ends = growth.map((one) => y(one.points[one.points.length - 1]?.objects ?? 0));
  const labels = dodge(ends, 16, 14, height - 36);
  return (
    <div ref={ref}>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label="Kernel objects by nodes; the table below says the same"
      >
        {y.ticks(5).map((tick) => (
          <g key={tick}>
            <line x1={44} x2={width - right} y1={y(tick)} y2={y(tick)} class="gridline" />
            <text x={38} y={y(tick) + 4} class="axis" text-anchor="end">
              {tick}
            </text>
          </g>
        ))}
        {x.ticks(width < 560 ? 4 : 8).map((tick) => (
          <text key={tick} x={x(tick)} y={height - 18} class="axis" text-anchor="middle">
            {tick}
          </text>
        ))}
        <text x={44} y={height - 3} class="axis">
          nodes of the cluster
        </text>
        {growth.map((one, index) => (
          <g key={one.name} class={`series s${index % 6}`}>
            <path d={path(one.points) ?? ""} class="curve" />
            {one.points.map((point) => (
              <circle key={point.nodes} cx={x(point.nodes)} cy={y(point.objects)} r={3} />
            ))}
            <line
              x1={width - right + 2}
              x2={width - right + 12}
              y1={ends[index]}
              y2={labels[index]}
              class="leader"
            />
            <text x={width - right + 15} y={(labels[index] ?? 0) + 4} class="label small">
              octet {one.name}
            </text>
          </g>
        ))}
      </svg>
    </div>
  );
}
