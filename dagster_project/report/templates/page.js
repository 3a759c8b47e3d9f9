"use strict";
// Draws the table of accounts. Every text from the data goes in as text (textContent, setAttribute), never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 100;
  const BANDS = Object.keys(data.bandTitles);
  const byId = (id) => document.getElementById(id);
  const state = { sort: "score", down: false, limit: PAGE, open: new Set() };

  const node = (space) => (tag, attributes = {}, ...children) => {
    const made = space ? document.createElementNS(space, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const html = node(null);
  const svg = node("http://www.w3.org/2000/svg");
  // A name written from right to left stays inside its own box.
  const name = (text, attributes = {}) => html("bdi", attributes, text);

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const DASH = "–";
  const points = (score) => (score === null ? DASH : (Math.floor(Math.round(score * 1e7) / 1e6) / 10).toFixed(1));
  const money = (amount) => (amount === null ? DASH : whole.format(amount));
  const change = (trend) => {
    if (trend === null) return DASH;
    const rounded = Math.round(Math.abs(trend));
    return rounded === 0 ? "0" : (trend < 0 ? "−" : "+") + rounded;
  };
  const percent = (share) => (share === null ? "not known" : Math.round(share * 100) + " %");
  const bandTitle = (band) => data.bandTitles[band] ?? band;

  // ---- what is shown, and in which order -----------------------------------------------------------------------
  const needsAttention = (account) => account.band === "red" || account.band === "yellow" || account.breaches > 0;
  const haystack = new Map(data.accounts.map((account) =>
    [account, [account.name, account.id, account.owner].filter(Boolean).join("\n").toLocaleLowerCase("en")]));

  const chosen = () => {
    const words = byId("search").value.toLocaleLowerCase("en").split(/\s+/).filter(Boolean);
    const band = byId("band").value, owner = byId("owner").value, segment = byId("segment").value;
    return data.accounts.filter((account) =>
      (band === "attention" ? needsAttention(account) : !band || account.band === band)
      && (!owner || JSON.stringify(account.owner) === owner)
      && (!segment || JSON.stringify(account.segment) === segment)
      && words.every((word) => haystack.get(account).includes(word)));
  };
  const sortValue = (account) => {
    if (state.sort === "name") return account.name ?? account.id;
    if (state.sort === "band") return BANDS.indexOf(account.band);
    return account[state.sort];
  };
  const ordered = (accounts) => {
    const sign = state.down ? -1 : 1;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
    // What is not known comes last in either direction; the data's own order (lowest score first) settles ties.
    return accounts.map((account) => [sortValue(account), account]).sort(([a], [b]) =>
      a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)).map(([, account]) => account);
  };

  // ---- small pictures ------------------------------------------------------------------------------------------
  const historyWords = (history) => {
    const known = history.map((score, i) => [score, i]).filter(([score]) => score !== null);
    if (!known.length) return "No score in the last 90 days";
    const scores = known.map(([score]) => score);
    return `Score over the last ${history.length} days: first ${points(scores[0])}, last ${points(scores.at(-1))}, `
      + `lowest ${points(Math.min(...scores))}, highest ${points(Math.max(...scores))}`;
  };
  // A line with a gap where there was no score; always on the scale 0 to 100, so that rows can be compared.
  const line = (history, x, y) => {
    let path = "", pen = "M";
    history.forEach((score, i) => {
      if (score === null) { pen = "M"; return; }
      path += `${pen}${x(i).toFixed(1)} ${y(score).toFixed(1)}`;
      pen = "L";
    });
    const last = history.findLastIndex((score) => score !== null);
    const parts = [svg("path", { class: "line", d: path })];
    if (last >= 0) parts.push(svg("circle", { class: "dot", cx: x(last).toFixed(1), cy: y(history[last]).toFixed(1), r: 2.2 }));
    return parts;
  };
  const spark = (history) => {
    const picture = svg("svg", { class: "spark", viewBox: "0 0 120 36", role: "img", "aria-label": historyWords(history) });
    const x = (i) => 3 + i * 114 / Math.max(1, history.length - 1), y = (score) => 33 - score * 0.3;
    picture.append(svg("path", { class: "grid", d: "M0 18H120" }), ...line(history, x, y));
    return picture;
  };
  const chart = (history) => {
    const picture = svg("svg", { class: "spark", viewBox: "0 0 340 120", role: "img", "aria-label": historyWords(history) });
    const x = (i) => 30 + i * 304 / Math.max(1, history.length - 1), y = (score) => 100 - score * 0.92;
    for (const score of [0, 50, 100]) {
      picture.append(svg("path", { class: "grid", d: `M30 ${y(score)}H334` }),
        svg("text", { class: "axis", x: 24, y: y(score) + 4, "text-anchor": "end" }, String(score)));
    }
    picture.append(svg("text", { class: "axis", x: 30, y: 117 }, data.firstDay),
      svg("text", { class: "axis", x: 334, y: 117, "text-anchor": "end" }, data.lastDay), ...line(history, x, y));
    return picture;
  };
  const range = (account) => {
    const picture = svg("svg", { class: "range", viewBox: "0 0 340 16", role: "img",
      "aria-label": `Between ${points(account.low)} and ${points(account.high)}` });
    picture.append(svg("rect", { class: "track", x: 0, y: 5, width: 340, height: 6, rx: 3 }),
      svg("rect", { class: "span", x: account.low * 3.4, y: 5, width: Math.max(2, (account.high - account.low) * 3.4), height: 6, rx: 3 }));
    if (account.score !== null) picture.append(svg("rect", { class: "mark", x: Math.min(337, account.score * 3.4), y: 1, width: 3, height: 14, rx: 1.5 }));
    return picture;
  };

  // ---- one account ---------------------------------------------------------------------------------------------
  const block = (title, ...children) => html("div", {}, html("h3", {}, title), ...children);
  const drivers = (sentences, none) => sentences.length
    ? html("ul", {}, ...sentences.map((words) => html("li", {}, name(words)))) : html("p", {}, none);
  const renewalWords = (account) => {
    if (account.renewal === null) return "not known";
    const days = account.renewalDays;
    if (days === null) return account.renewal;
    if (days === 0) return `${account.renewal}, today`;
    const many = `${whole.format(Math.abs(days))} day${Math.abs(days) === 1 ? "" : "s"}`;
    return `${account.renewal}, ${days < 0 ? many + " ago" : "in " + many}`;
  };
  const facts = (pairs) => html("dl", {}, ...pairs.filter(([, text]) => text !== null && text !== "")
    .flatMap(([term, text]) => [html("dt", {}, term), html("dd", {}, name(text))]));

  const ROLL_UPS = { arr_weighted_mean: "ARR-weighted mean", mean: "mean", worst: "the worst of them" };
  // The account together with every account below it.
  const together = (family) => {
    const parts = [`${whole.format(family.accounts)} account${family.accounts === 1 ? "" : "s"}`, ROLL_UPS[family.how] ?? family.how];
    if (!family.own) parts.push("its own row does not count");
    if (family.scored < family.accounts) parts.push(`${whole.format(family.accounts - family.scored)} without a score`);
    const made = block("With the accounts below it", html("p", {}, html("span", { class: "score" }, points(family.score)), " ",
      html("span", { class: "chip " + family.band }, bandTitle(family.band))), html("p", {}, parts.join("; ") + "."));
    if (family.lowest !== null) made.append(html("p", {}, "Lowest: ", name(family.lowest), `, ${points(family.lowestScore)}`));
    return made;
  };

  const details = (account) => {
    const bounds = account.low === null || account.high === null ? []
      : [range(account), html("p", {}, account.low === account.high ? "Nothing is missing."
        : `It lies between ${points(account.low)} and ${points(account.high)}, whatever the missing data would say.`)];
    const panel = html("div", { class: "panel" },
      block("Score", html("p", {}, html("span", { class: "score" }, points(account.score)), " ",
        html("span", { class: "chip " + account.band }, bandTitle(account.band))), ...bounds,
        html("p", {}, `Coverage: ${percent(account.coverage)} of the weight has data.`)),
      block("Drives it down", drivers(account.down, "Nothing stands out.")),
      block("Holds it up", drivers(account.up, "Nothing stands out.")),
      block("Last 90 days", chart(account.history),
        html("p", { class: "under" }, `Change: 7 days ${change(account.t7)}, 30 days ${change(account.t30)}, 90 days ${change(account.t90)}`)),
      block("Account", facts([["Id", account.id], ["Owner", account.owner ?? "not known"], ["ARR", account.arr === null ? "not known" : money(account.arr)],
        ["Renewal", renewalWords(account)], ["Segment", account.segment], ["Plan", account.plan], ["Stage", account.stage], ["Parent", account.parent]])),
      ...(account.family ? [together(account.family)] : []),
      block("Open breaches", account.openBreaches.length
        ? html("ul", {}, ...account.openBreaches.map(([title, severity, since]) =>
          html("li", {}, name(title), `${severity ? ` (${severity})` : ""}, since ${since}`)))
        : html("p", {}, "None.")));
    if (account.adjustment) panel.prepend(html("p", { class: "adjusted" }, "Score adjusted: ", name(account.adjustment)));
    return html("tr", { class: "details", id: "details-" + data.accounts.indexOf(account) }, html("td", { colspan: 9 }, panel));
  };

  const row = (account) => {
    const isOpen = state.open.has(account);
    const opener = html("button", { type: "button", class: "open-row", "aria-expanded": isOpen },
      name(account.name ?? account.id, { class: "name" }));
    const under = [account.segment, account.plan].filter(Boolean).join(" · ");
    if (under) opener.append(name(under, { class: "under" }));
    const trendClass = account.t30 === null || Math.abs(account.t30) < 5 ? "" : account.t30 < 0 ? " falls" : " rises";
    const soon = account.renewalDays !== null && account.renewalDays >= 0 && account.renewalDays <= 90 && account.band !== "green";
    const made = html("tr", { class: "row" + (isOpen ? " open" : "") },
      html("th", { scope: "row" }, opener),
      html("td", {}, html("span", { class: "chip " + account.band }, bandTitle(account.band))),
      html("td", { class: "num score" }, points(account.score)),
      html("td", { class: "num" + trendClass }, change(account.t30)),
      html("td", {}, account.history.length ? spark(account.history) : html("span", { class: "under" }, "no score")),
      html("td", { class: "num" }, money(account.arr)),
      html("td", { class: soon ? "renewal soon" : "renewal" }, account.renewal ?? DASH,
        html("span", { class: "under" }, account.renewalDays === null ? "" : renewalWords(account).split(", ")[1] ?? "")),
      html("td", {}, name(account.owner ?? DASH)),
      html("td", { class: "driver" }, name(account.down[0] ?? DASH),
        account.breaches > 0 ? html("span", { class: "under" }, `${account.breaches} open breach${account.breaches === 1 ? "" : "es"}`) : ""));
    opener.addEventListener("click", () => {
      const opens = !state.open.has(account);
      if (opens) { state.open.add(account); made.after(details(account)); } else { state.open.delete(account); made.nextSibling.remove(); }
      made.classList.toggle("open", opens);
      opener.setAttribute("aria-expanded", opens);
    });
    return isOpen ? [made, details(account)] : [made];
  };

  // ---- the table -----------------------------------------------------------------------------------------------
  const draw = () => {
    const accounts = ordered(chosen());
    const visible = accounts.slice(0, state.limit);
    byId("rows").replaceChildren(...(visible.length ? visible.flatMap(row)
      : [html("tr", {}, html("td", { colspan: 9, class: "empty" }, data.accounts.length ? "No account matches." : "There are no accounts."))]));
    const arr = accounts.reduce((sum, account) => sum + (account.arr ?? 0), 0);
    byId("shown").textContent = `${whole.format(accounts.length)} of ${whole.format(data.accounts.length)} accounts, ARR ${whole.format(arr)}`;
    const left = accounts.length - visible.length;
    byId("more").hidden = left <= 0;
    byId("more").textContent = `Show ${whole.format(Math.min(left, PAGE))} more of ${whole.format(left)}`;
    for (const button of document.querySelectorAll("[data-sort]")) {
      button.parentElement.setAttribute("aria-sort", button.dataset.sort !== state.sort ? "none" : state.down ? "descending" : "ascending");
    }
  };
  const fillChoices = (id, field) => {
    const values = [...new Set(data.accounts.map((account) => account[field]))];
    values.sort((a, b) => (a === null || b === null ? (a === null) - (b === null) : a.localeCompare(b, "en")));
    // As JSON, so that an owner called "" or "null" is not taken for everyone or for nobody.
    for (const value of values) byId(id).append(html("option", { value: JSON.stringify(value), dir: "auto" }, value ?? "(not known)"));
  };

  fillChoices("owner", "owner");
  fillChoices("segment", "segment");
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("input", () => { state.limit = PAGE; draw(); });
  byId("more").addEventListener("click", () => { state.limit += PAGE; draw(); });
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => {
      const field = button.dataset.sort;
      // Amounts are first wanted from the top, everything else from the bottom up.
      state.down = state.sort === field ? !state.down : field === "arr";
      state.sort = field;
      draw();
    });
  }
  // On paper: every account that matches, not only the first hundred.
  window.addEventListener("beforeprint", () => { state.limit = Infinity; draw(); });
  if (!data.accounts.some(needsAttention)) byId("band").value = "";
  draw();
})();
