// The wall: as many tiles as a screen holds, moved about as it scrolls.

const GAP = 4;
const MARGIN_ROWS = 2;

class Wall {
  constructor(scroller, box, { samples, selection, marked, open, toggle }) {
    Object.assign(this, { scroller, box, samples, selection, marked, open, toggle });
    this.picture = "occluded"; this.side = 128; this.current = 0;
    this.tiles = new Map();
    this.columns = 1;
    scroller.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.fit()).observe(scroller);
    box.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (!tile) return;
      const number = Number(tile.dataset.number);
      this.current = number;
      if (event.target.closest(".mark")) this.toggle(this.place(number));
      else this.open(this.place(number));
    });
    box.addEventListener("keydown", (event) => this.key(event));
  }

  place(number) { return this.selection.shown[number]; }
  get pair() { return this.samples.compares; }

  fit() {
    const style = getComputedStyle(this.scroller);
    const width = this.scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (width <= 0) return;
    const least = Math.min(this.side * (this.pair ? 2 : 1), width);
    this.columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    this.wide = (width + GAP) / this.columns - GAP;
    this.caption = this.wide >= 112 ? 20 : 0;
    this.high = (this.pair ? (this.wide - 2) / 2 : this.wide) + this.caption;
    this.renew();
  }

  renew() {
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.current = Math.max(0, Math.min(this.current, this.selection.shown.length - 1));
    const rows = Math.ceil(this.selection.shown.length / this.columns);
    this.box.style.height = `${Math.max(0, rows * (this.high + GAP) - GAP)}px`;
    this.draw();
  }

  later() { this.waiting ??= requestAnimationFrame(() => { this.waiting = null; this.draw(); }); }

  draw() {
    if (!this.high) return;
    const step = this.high + GAP, top = Math.max(0, this.scroller.scrollTop - this.box.offsetTop);
    const first = Math.max(0, Math.floor(top / step) - MARGIN_ROWS) * this.columns;
    const end = Math.min(this.selection.shown.length, (Math.ceil((top + this.scroller.clientHeight) / step) + MARGIN_ROWS) * this.columns);
    for (const [number, tile] of this.tiles) if (number < first || number >= end) { tile.remove(); this.tiles.delete(number); }
    let added = null;
    for (let number = first; number < end; number++) {
      if (this.tiles.has(number)) continue;
      const tile = this.tile(number);
      this.tiles.set(number, tile);
      (added ??= document.createDocumentFragment()).append(tile);
    }
    if (added) this.box.append(added);
    this.rove();
  }

  tile(number) {
    const place = this.place(number);
    const x = (number % this.columns) * (this.wide + GAP), y = Math.floor(number / this.columns) * (this.high + GAP);
    const pictures = this.sides(place).map((at) => (at ? this.image(at) : el("span", { class: "none" }, "—")));
    const marked = this.marked.has(this.samples.key[place]);
    const change = this.pair ? this.samples.text("change", place) : "";
    const words = [change, this.samples.text("kind", place)].filter(Boolean).join(" · ");
    const tile = el("div", { class: `tile${this.pair ? ` pair ${change}` : ""}`, "data-number": String(number), "data-key": this.samples.key[place] },
      el("button", { type: "button", class: "face", tabindex: "-1", "aria-label": this.samples.says(place), title: this.samples.says(place) },
        el("span", { class: "pictures" }, pictures),
        this.caption ? el("span", { class: "caption" }, el("span", {}, words), el("span", { title: "of the picture is covered" }, percent(this.samples.number("coverage", place)))) : null),
      el("button", { type: "button", class: "mark", tabindex: "-1", "aria-pressed": String(marked), "aria-label": "Mark" }, "✓"));
    tile.style.cssText = `width:${this.wide}px;height:${this.high}px;transform:translate(${x}px,${y}px)`;
    return tile;
  }

  sides(place) { return this.pair ? [this.samples.before(place), this.samples.columns.gone[place] ? null : this.samples.at(place)] : [this.samples.at(place)]; }

  image(at) {
    const px = this.pair ? this.wide / 2 : this.wide;
    return el("img", { src: thumbnailUrl(at, this.picture, px), alt: "", decoding: "async", draggable: "false",
      onerror: (event) => this.again(event.target) });
  }

  // A connection may have been dropped; a sample that is damaged fails twice.
  again(image) {
    if (image.dataset.again) { image.replaceWith(el("span", { class: "none damaged" }, "cannot be read")); return; }
    image.dataset.again = "1";
    setTimeout(() => { image.src = image.src; }, 300);
  }

  // Marks changed: of the tiles that are there.
  remark() {
    for (const tile of this.tiles.values()) $(".mark", tile).setAttribute("aria-pressed", String(this.marked.has(tile.dataset.key)));
  }

  rove() { for (const [number, tile] of this.tiles) $(".face", tile).tabIndex = number === this.current ? 0 : -1; }

  go(number, { focus = true } = {}) {
    const last = this.selection.shown.length - 1;
    if (last < 0) return;
    this.current = Math.max(0, Math.min(last, number));
    const y = this.box.offsetTop + Math.floor(this.current / this.columns) * (this.high + GAP);
    const { scrollTop, clientHeight } = this.scroller;
    if (y < scrollTop + this.box.offsetTop) this.scroller.scrollTop = y - this.box.offsetTop;
    else if (y + this.high > scrollTop + clientHeight) this.scroller.scrollTop = y + this.high - clientHeight + GAP;
    this.draw();
    if (focus) $(".face", this.tiles.get(this.current))?.focus({ preventScroll: true });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = Math.max(1, Math.floor(this.scroller.clientHeight / (this.high + GAP)));
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: rows * this.columns, PageUp: -rows * this.columns,
      Home: -this.current, End: this.selection.shown.length - 1 - this.current };
    if (event.key in steps) { event.preventDefault(); this.go(this.current + steps[event.key]); }
    else if (event.key === "m") { event.preventDefault(); this.toggle(this.place(this.current)); }
  }
}
