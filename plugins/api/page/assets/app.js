// The page without this script is whole; the script adds the reader's time
// zone, charts, keys, and the refresh when verdicts arrive.
"use strict";
(() => {
  const live = () => document.getElementById("live");
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7], ["week", 4.35], ["month", 12], ["year", Infinity]];

  function ago(then) {
    let amount = (then - Date.now()) / 1000;
    for (const [unit, size] of steps) {
      if (Math.abs(amount) < size) return relative.format(Math.round(amount), unit);
      amount /= size;
    }
  }

  function times(root) {
    for (const el of root.querySelectorAll("time")) {
      const then = new Date(el.dateTime);
      el.textContent = el.className === "ago" ? ago(then) : exact.format(then);
      el.title = exact.format(then) + " · " + el.dateTime;
    }
  }

  // Charts: colours come from the style sheet, so light and dark are one.
  let charts = [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const palette = () => ["accent", "mix", "sus", "bad", "blue", "ok", "pink", "grey"].map(colour);
  const writers = {
    s: (v) => (v >= 120 ? (v / 60).toFixed(1) + " min" : v >= 1 || v === 0 ? +v.toPrecision(3) + " s" : +(v * 1000).toPrecision(3) + " ms"),
    "%": (v) => +(v * 100).toFixed(1) + " %",
    "": (v) => v.toLocaleString(),
  };

  function loadCharts() {
    if (window.Chart) return Promise.resolve();
    const source = document.querySelector("script[data-charts]");
    if (!source) return Promise.reject(new Error("no chart library"));
    return new Promise((done, fail) => {
      const el = document.createElement("script");
      el.src = source.dataset.charts;
      el.onload = done;
      el.onerror = fail;
      document.head.append(el);
    });
  }

  async function draw(root) {
    charts = charts.filter((c) => c.canvas && c.canvas.isConnected || (c.destroy(), false));
    const canvases = [...root.querySelectorAll("canvas[data-chart]")];
    if (!canvases.length) return;
    await loadCharts();
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.color = colour("soft");
    Chart.defaults.borderColor = colour("line");
    for (const canvas of canvases) {
      const data = JSON.parse(canvas.dataset.chart);
      charts.push(new Chart(canvas, config(data, canvas)));
    }
  }

  function config(data, canvas) {
    const write = writers[data.unit];
    const colours = palette();
    const value = { beginAtZero: true, ticks: { callback: write, maxTicksLimit: 6 }, border: { display: false } };
    const options = {
      animation: false, responsive: true, maintainAspectRatio: false,
      plugins: {
        legend: { display: data.series.length > 1, position: "bottom", align: "start", labels: { boxWidth: 10, boxHeight: 10 } },
        tooltip: { callbacks: { label: (c) => ` ${c.dataset.label}: ${write(data.kind === "bars" ? c.parsed.x : c.parsed.y)}` } },
      },
    };
    if (data.kind === "bars") {
      canvas.parentElement.style.height = 60 + data.labels.length * (14 + 12 * data.series.length) + "px";
      const room = Math.max(14, Math.min(48, canvas.parentElement.clientWidth / 17));
      options.indexAxis = "y";
      options.scales = { x: value, y: { grid: { display: false }, ticks: { autoSkip: false, callback(v) { const s = this.getLabelForValue(v); return s.length > room ? "…" + s.slice(1 - Math.floor(room)) : s; } } } };
      return { type: "bar", options, data: { labels: data.labels, datasets: data.series.map((s, i) => ({ label: s.name, data: s.values, backgroundColor: colours[i], borderRadius: 3, maxBarThickness: 18 })) } };
    }
    // Days are UTC days wherever the reader is; everything else is in his zone.
    const days = data.kind === "lines" && data.labels.every((l) => l.length === 10);
    const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: days ? "UTC" : undefined });
    const tick = (v) => day.format(v);
    options.scales = { y: value, x: { type: "linear", grid: { display: false }, ticks: { callback: tick, maxTicksLimit: 8, maxRotation: 0 } } };
    options.plugins.tooltip.callbacks.title = (items) => (days ? day : exact).format(items[0].parsed.x);
    if (data.kind === "lines") {
      const at = data.labels.map((l) => Date.parse(l));
      const edge = at.length > 1 ? 0 : 86400000;
      options.scales.x.min = at[0] - edge;
      options.scales.x.max = at[at.length - 1] + edge;
      options.interaction = { mode: "nearest", axis: "x", intersect: false };
      return { type: "line", options, data: { datasets: data.series.map((s, i) => ({ label: s.name, spanGaps: true, data: s.values.map((v, j) => ({ x: at[j], y: v })).filter((p) => p.y !== null), borderColor: colours[i], backgroundColor: colours[i], borderWidth: 2, pointRadius: 2.5, tension: 0.25 })) } };
    }
    const kinds = { passed: [colour("ok"), "circle", 3], failed: [colour("bad"), "crossRot", 5] };
    return { type: "scatter", options, data: { datasets: data.series.map((s) => ({ label: s.name, data: s.points, backgroundColor: kinds[s.name][0] + "b0", borderColor: kinds[s.name][0], pointStyle: kinds[s.name][1], pointRadius: kinds[s.name][2], borderWidth: s.name === "failed" ? 2 : 0 })) } };
  }

  // Refresh: fetch the part that changes, keep what is open and what has focus.
  let busy = false, again = false;
  async function refresh() {
    if (busy || document.hidden) { again = true; return; }
    busy = true; again = false;
    try {
      const answer = await fetch(location.href, { headers: { "X-Fragment": "live", Accept: "text/html" } });
      if (answer.ok) replace(await answer.text());
    } catch { /* the next event tries again */ }
    setTimeout(() => { busy = false; if (again) refresh(); }, 1500);
  }

  function replace(html) {
    const root = live();
    const open = new Set([...root.querySelectorAll("details[open][data-open]")].map((d) => d.dataset.open));
    const rows = new Set([...root.querySelectorAll("tbody[data-row]")].map((r) => r.dataset.row + r.querySelector(".pill")?.className));
    const focused = root.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    root.innerHTML = html;
    for (const d of root.querySelectorAll("details[data-open]")) d.open = open.has(d.dataset.open);
    if (rows.size) for (const r of root.querySelectorAll("tbody[data-row]")) if (!rows.has(r.dataset.row + r.querySelector(".pill")?.className)) r.classList.add("new");
    if (focused) [...root.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus({ preventScroll: true });
    enhance(root);
  }

  const words = { "flaky.detected": ["Flaky", ""], "flaky.suspected": ["Suspected flaky", ""], "test.broken": ["Broken", "bad"], "flaky.healed": ["Healed", "ok"], "test.fixed": ["Fixed", "ok"] };
  function announce(verdict) {
    const word = words[verdict.type];
    if (!word || !verdict.test_id) return;
    const a = document.createElement("a");
    a.href = location.pathname.split("/").slice(0, 4).join("/") + "/tests/" + verdict.test_id;
    a.className = word[1];
    const head = document.createElement("b");
    head.textContent = word[0];
    a.append(head, (verdict.scope ? verdict.scope + " " : "") + verdict.name);
    const news = document.getElementById("news");
    news.append(a);
    while (news.children.length > 3) news.firstChild.remove();
    setTimeout(() => a.remove(), 8000);
  }

  function follow() {
    const url = document.body.dataset.stream;
    if (!url || !window.EventSource) return;
    const source = new EventSource(url);
    const state = document.getElementById("live-state");
    source.onopen = () => state?.classList.add("on");
    source.onerror = () => state?.classList.remove("on");
    source.addEventListener("verdict", (e) => { announce(JSON.parse(e.data)); refresh(); });
    source.addEventListener("changed", refresh);
    document.addEventListener("visibilitychange", () => { if (!document.hidden && again) refresh(); });
    addEventListener("pagehide", () => source.close());
  }

  // Tables of slices sort by a click on a column's head.
  function sortable(root) {
    for (const table of root.querySelectorAll("table[data-sortable]")) {
      const body = table.tBodies[0];
      [...table.tHead.rows[0].cells].forEach((th, column) => {
        th.dataset.sort = "";
        th.tabIndex = 0;
        const sort = () => {
          const down = th.getAttribute("aria-sort") !== "descending";
          for (const other of th.parentElement.cells) other.removeAttribute("aria-sort");
          th.setAttribute("aria-sort", down ? "descending" : "ascending");
          const key = (row) => { const c = row.cells[column]; return th.classList.contains("num") ? number(c.textContent) : c.textContent; };
          [...body.rows].map((row) => [key(row), row]).sort(([a], [b]) => (a < b ? 1 : a > b ? -1 : 0) * (down ? 1 : -1)).forEach(([, row]) => body.append(row));
        };
        th.addEventListener("click", sort);
        th.addEventListener("keydown", (e) => { if (e.key === "Enter") sort(); });
      });
    }
  }
  function number(text) {
    const m = text.replaceAll(",", "").match(/([\d.]+)\s*(ms|s|min|h|%)?(?:\s*(\d+)\s*s)?/);
    if (!m) return -1;
    return m[1] * ({ ms: 0.001, min: 60, h: 3600 }[m[2]] ?? 1) + Number(m[3] ?? 0);
  }

  function copying(root) {
    for (const button of root.querySelectorAll("[data-copy], [data-copy-link]")) {
      button.addEventListener("click", async () => {
        const text = button.dataset.copyLink ? new URL(button.dataset.copyLink, location.href).href : document.getElementById(button.dataset.copy).textContent;
        await navigator.clipboard.writeText(text);
        const before = button.textContent;
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = before; }, 1500);
      });
    }
  }

  function enhance(root) {
    times(root);
    sortable(root);
    copying(root);
    draw(root).catch(() => {});
  }

  // Keys: / finds, j and k walk the rows, g and a letter goes to a section.
  let pending = "";
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /INPUT|SELECT|TEXTAREA/.test(e.target.tagName)) return;
    if (e.key === "/") {
      const box = document.querySelector('[data-key="/"], input[name=filter]');
      if (box) { box.focus(); e.preventDefault(); }
    } else if (e.key === "j" || e.key === "k") {
      const names = [...document.querySelectorAll(".list .name, .group > summary")];
      const at = names.indexOf(document.activeElement);
      names[at < 0 ? 0 : Math.min(Math.max(at + (e.key === "j" ? 1 : -1), 0), names.length - 1)]?.focus();
    } else if (pending === "g") {
      document.querySelector(`.bar nav a[href$="/${{ f: "flaky", t: "tests", r: "runs", u: "uploads", s: "slices" }[e.key]}"]`)?.click();
    }
    pending = e.key === "g" ? "g" : "";
  });

  document.addEventListener("click", (e) => {
    for (const d of document.querySelectorAll(".switch[open]")) if (!d.contains(e.target)) d.open = false;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { charts.forEach((c) => c.destroy()); charts = []; draw(document).catch(() => {}); });
  setInterval(() => times(document), 30000);
  enhance(document);
  follow();
})();
