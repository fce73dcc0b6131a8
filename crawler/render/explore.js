// Run in a world of its own beside the page's scripts: it sees the same document, and the page sees none of this.
// Returns what a click may be tried on, and scrolls to the ends of what scrolls. `state` stays between two calls.
(() => {
  const state = (globalThis.state ??= { seen: new WeakMap(), offered: [], heights: new WeakMap() });
  const MOST_LOOKED_AT = 4000, MOST_OFFERED = 60, MOST_SCROLLED = 20, MOST_TEXT = 60;
  const shown = (e) => e.getClientRects().length > 0;
  const real = (a) => {
    const href = a.getAttribute("href");
    return href !== null && !/^\s*(#|javascript:|$)/i.test(href);
  };
  let scrolled = false;
  const down = (e) => {
    const height = e.scrollHeight;
    if (state.heights.get(e) !== height) scrolled = true;
    state.heights.set(e, height);
    e.scrollTop = height;
  };
  const root = document.scrollingElement || document.documentElement;
  if (root) {
    // By steps, since what comes into view only for a moment is loaded only then.
    const step = Math.max(innerHeight, 200), end = Math.min(root.scrollHeight, 40 * step);
    for (let y = root.scrollTop; y < end; y += step) scrollTo(0, y);
    down(root);
  }
  const all = [...Document.prototype.querySelectorAll.call(document, "*")].slice(0, MOST_LOOKED_AT);
  let boxes = 0;
  for (const e of all) {
    if (e === root || e.scrollHeight <= e.clientHeight + 40 || e.clientHeight === 0) continue;
    const flow = getComputedStyle(e).overflowY;
    if ((flow === "auto" || flow === "scroll") && boxes++ < MOST_SCROLLED) down(e);
  }
  // What a visitor would press: buttons and the like, and pictures that say that they can be pressed.
  state.offered = [];
  const offers = [];
  for (const e of all) {
    if (offers.length >= MOST_OFFERED) break;
    if (e instanceof HTMLFormElement) continue; // whose inputs can stand in for its methods
    const name = e.localName;
    if (name === "input" ? e.type !== "button" : false) continue;
    const picture = (name === "img" || name === "figure") && getComputedStyle(e).cursor === "pointer";
    const button = !picture && (name === "button" || name === "input" || name === "summary" || name === "a" ||
      e.getAttribute("role") === "button" || e.hasAttribute("onclick"));
    if (!button && !picture) continue;
    if (!shown(e) || e.disabled) continue;
    // A form is never submitted, and a link to elsewhere is followed by the crawler, if at all.
    if ((e.form || e.closest("form")) && !(e.type === "button")) continue;
    const link = e.closest("a[href]");
    if (link && real(link) && !(picture || e.querySelector("img"))) continue;
    const words = [e.id, e.getAttribute("class"), e.getAttribute("name"), e.title];
    const urls = [];
    for (const holder of [e, link]) {
      for (const a of holder ? holder.attributes : []) {
        if (a.value.length > 2000) continue;
        if (a.name.startsWith("on")) urls.push(...a.value.matchAll(/["'`]([^"'`\s]*\/[^"'`\s]*)["'`]/g).map((m) => m[1]));
        else if (/href|url|action|src|target|hx-|data-/i.test(a.name)) urls.push(a.value);
      }
    }
    const text = (e.innerText || e.value || e.getAttribute("aria-label") || e.title || "").trim().slice(0, MOST_TEXT);
    state.offered.push(e);
    offers.push({
      text, picture: picture || (link !== null && real(link)), words: words.filter(Boolean).join(" ").slice(0, 400),
      urls: urls.slice(0, 8), times: state.seen.get(e) || 0,
    });
  }
  return { scrolled, offers, size: all.length };
})()
