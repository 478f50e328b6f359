// Charts: each is a table in the page, drawn with uPlot. app.js fetches this
// when there is something to draw.
(() => {
  "use strict";
  const uPlot = window.uPlot;
  const drawings = new Map();

  // read takes the numbers out of a figure's table.
  function read(figure) {
    const rows = [...figure.querySelectorAll("tbody tr")];
    const days = rows.map((row) => Date.parse(row.querySelector("time").dateTime + "T00:00:00Z") / 1000);
    const names = [...figure.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent);
    const values = names.map((_, i) => rows.map((row) => Number(row.querySelectorAll("td")[i].textContent.replaceAll(",", ""))));
    return { days, names, values };
  }

  // stack adds each series to those below it.
  function stack(values) {
    const sums = [];
    values.forEach((series, i) => sums.push(series.map((value, day) => value + (i ? sums[i - 1][day] : 0))));
    return sums;
  }

  const dayText = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const monthText = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });
  const amount = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const whole = new Intl.NumberFormat("en");

  function draw(figure) {
    drawings.get(figure)?.destroy();
    const canvas = figure.querySelector(".chart-canvas");
    const { days, names, values } = read(figure);
    if (!days.length) return;
    canvas.classList.add("drawn");
    const ink = getComputedStyle(canvas).color;
    const line = getComputedStyle(canvas).borderTopColor;
    const swatches = [...figure.querySelectorAll(".swatch")].map((swatch) => getComputedStyle(swatch).color);
    const font = "12px " + getComputedStyle(document.body).fontFamily;
    const labels = [...figure.querySelectorAll(".chart-legend li")];
    const bars = uPlot.paths.bars({ size: [0.72, 40], radius: days.length > 90 ? 0 : 0.15 });
    const sums = stack(values);
    // The highest sum is drawn first, and the others over it.
    const order = sums.map((_, i) => sums.length - 1 - i);
    const long = days.length > 120;
    const legend = (index) => labels.forEach((label, i) => {
      let value = label.querySelector("b");
      if (!value) label.append(value = document.createElement("b"));
      value.textContent = index == null ? "" : " " + whole.format(values[i][index]);
    });
    let title = figure.querySelector(".chart-title");
    title.dataset.text ||= title.textContent;
    const options = {
      width: canvas.clientWidth, height: 240, legend: { show: false }, padding: [8, 20, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      hooks: { setCursor: [(plot) => {
        const index = plot.cursor.left < 0 ? null : plot.cursor.idx;
        title.textContent = title.dataset.text + (index == null ? "" : ", " + dayText.format(days[index] * 1000));
        legend(index);
      }] },
      scales: { x: { time: true, range: (_, low, high) => [low - 43200, high + 43200] }, y: { range: (_, low, high) => [0, Math.max(4, high * 1.08)] } },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { show: false }, gap: 6, size: 30, space: 70, values: (_, marks) => marks.map((mark) => (long ? monthText : dayText).format(mark * 1000)), incrs: [1, 2, 7, 14, 30.4375, 60.875, 91.3125].map((n) => n * 86400) },
        { stroke: ink, font, size: 48, gap: 6, grid: { stroke: line, width: 1 }, ticks: { show: false }, incrs: [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6, 7].map((e) => n * 10 ** e)).sort((a, b) => a - b), values: (_, marks) => marks.map((mark) => amount.format(mark)) },
      ],
      series: [{}, ...order.map((i) => ({ label: names[i], fill: swatches[i], width: 0, paths: bars, points: { show: false } }))],
    };
    drawings.set(figure, new uPlot(options, [days, ...order.map((i) => sums[i])], canvas));
  }

  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = drawings.get(target);
      const width = target.querySelector(".chart-canvas").clientWidth;
      if (plot && width && plot.width !== width) plot.setSize({ width, height: 240 });
    }
  });

  // drawAll draws what is not drawn yet, and forgets what has left the page.
  function drawAll() {
    drawings.forEach((plot, figure) => {
      if (figure.isConnected) return;
      resized.unobserve(figure);
      plot.destroy();
      drawings.delete(figure);
    });
    for (const figure of document.querySelectorAll("[data-chart]")) {
      if (drawings.has(figure)) continue;
      draw(figure);
      resized.observe(figure);
    }
  }

  // Colours are those of the theme.
  const redraw = () => drawings.forEach((_, figure) => draw(figure));
  document.addEventListener("themechange", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("enhance", drawAll);
  drawAll();
})();
