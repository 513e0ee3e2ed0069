(() => {
  "use strict";
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const figures = page.charts;
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const fromHash = /theme=(light|dark)/.exec(location.hash);
  root.dataset.theme = fromHash ? fromHash[1] : prefersDark.matches ? "dark" : "light";

  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const scales = {
    light: [[0, "#fbf3f1"], [0.25, "#f0c9b6"], [0.5, "#d98a86"], [0.75, "#6b5b95"], [1, "#1f2a63"]],
    dark: [[0, "#0b0d10"], [0.25, "#33205c"], [0.5, "#8a2f6b"], [0.75, "#ee7a4f"], [1, "#fdf0b4"]],
  };

  // "@name" stands for a colour of the palette wherever a figure says it.
  const resolve = (value) => {
    if (typeof value === "string") {
      if (value === "@depth") return scales[root.dataset.theme];
      return value.startsWith("@") && value.length < 12 ? colour(value.slice(1)) : value;
    }
    if (Array.isArray(value)) return value.length > 4000 ? value : value.map(resolve);
    if (value && typeof value === "object") {
      if (value.bdata) return value;
      return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, resolve(own)]));
    }
    return value;
  };

  const axis = () => ({
    gridcolor: colour("rule"), zerolinecolor: colour("rule"), linecolor: colour("rule"), tickfont: { size: 11 },
  });

  const layoutOf = (figure) => {
    const own = resolve(figure.layout);
    const narrow = innerWidth < 640;
    const shapes = own.shapes || [];
    return {
      ...own,
      shapes,
      annotations: narrow ? [] : (own.annotations || []).map((a) => ({ ...a, font: { ...a.font, color: colour("soft") } })),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, color: colour("ink"), size: 12 },
      margin: { l: 58, r: 16, t: (own.annotations || []).length && !narrow ? 54 : 14, b: 36 },
      hovermode: figure.time ? "x" : "closest",
      hoverlabel: { font: { size: 11 }, namelength: -1 },
      legend: { orientation: "h", y: -0.16, x: 0, yanchor: "top", font: { size: 11 } },
      dragmode: "zoom",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("faint"), activecolor: colour("ink") },
      xaxis: { ...axis(), ...(figure.time ? { type: "date", range: page.span } : {}), ...(own.xaxis || {}) },
      yaxis: { ...axis(), ...(own.yaxis || {}) },
    };
  };

  const config = { responsive: true, displaylogo: false, scrollZoom: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const element = (figure) => document.getElementById("chart-" + figure.id);
  const chosen = {};
  const tracesOf = (figure) =>
    resolve(figure.choices.length ? figure.choices[chosen[figure.id] || 0][1] : figure.traces);

  let linking = false;
  const link = (source) => (change) => {
    if (linking) return;
    const whole = change["xaxis.range"] || [];
    const from = change["xaxis.range[0]"] ?? whole[0], to = change["xaxis.range[1]"] ?? whole[1];
    const reset = change["xaxis.autorange"];
    if (!reset && from === undefined) return;
    linking = true;
    const update = { "xaxis.range": reset ? page.span : [from, to] };
    Promise.all(
      figures.filter((f) => f.time && f.id !== source.id && element(f).data)
        .map((f) => Plotly.relayout(element(f), update)),
    ).finally(() => { linking = false; });
  };

  const draw = (figure) => Plotly.react(element(figure), tracesOf(figure), layoutOf(figure), config);

  const start = async () => {
    let drawn = 0;
    for (const figure of figures) {
      await draw(figure);
      drawn += 1;
      if (figure.time) element(figure).on("plotly_relayout", link(figure));
      const choice = document.getElementById(figure.id + "-choice");
      if (choice) choice.addEventListener("change", () => { chosen[figure.id] = Number(choice.value); draw(figure); });
    }
    document.body.dataset.drawn = String(drawn);
    document.body.dataset.expected = String(figures.length);
  };

  const redraw = () => figures.forEach(draw);
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    redraw();
  });
  prefersDark.addEventListener("change", (event) => { root.dataset.theme = event.matches ? "dark" : "light"; redraw(); });
  start();
})();
