// One thing said: portrait, name, words, and what can be done with it. Words are text, never HTML; *an action* is set in italics.
export default {
  template: `
    <article class="turn" :class="[mine ? 'mine' : 'theirs', state, {last, open}]" :aria-busy="state === 'writing'" :data-turn="number" tabindex="0"
             @contextmenu="pressed" @keydown="keys">
      <img v-if="!mine" class="portrait" :src="portrait" alt="" width="40" height="40">
      <div class="body">
        <div v-if="name" class="name">{{ name }}</div>
        <div v-if="editing" class="editing">
          <textarea ref="box" v-model="draft" rows="3" :aria-label="word('edit')" @keydown="edit_keys"
                    @compositionstart="composing = true" @compositionend="composing = false"></textarea>
          <div class="row">
            <button type="button" class="quiet" @click="editing = false">{{ word('cancel') }}</button>
            <button v-if="mine" type="button" class="quiet" @click="save('resend')">{{ word('resend') }}</button>
            <button type="button" class="strong" @click="save('edit')">{{ word('save') }}</button>
          </div>
        </div>
        <p v-else-if="shown" class="words"><template v-for="piece in pieces"><em v-if="piece.action">{{ piece.text }}</em><template v-else>{{ piece.text }}</template></template></p>
        <p v-else class="thinking" role="status">{{ note }}<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span></p>
        <p v-if="shown && note" class="note">{{ note }}</p>
        <div v-if="!editing && can.length" class="actions" role="toolbar" :aria-label="word('actions')">
          <span v-if="versions > 1 || can.includes('retry')" class="versions">
            <button v-if="versions > 1" type="button" :disabled="chosen < 1" :aria-label="word('older')" :title="word('older')" @click="act('older')"><svg viewBox="0 0 24 24"><path d="M15 5l-7 7 7 7"/></svg></button>
            <span v-if="versions > 1" class="count">{{ chosen + 1 }}/{{ versions }}</span>
            <button v-if="versions > 1" type="button" :disabled="chosen + 1 >= versions" :aria-label="word('newer')" :title="word('newer')" @click="act('newer')"><svg viewBox="0 0 24 24"><path d="M9 5l7 7-7 7"/></svg></button>
          </span>
          <button v-for="one in can" :key="one" type="button" :data-do="one" :aria-label="word(one)" :title="word(one)" @click="act(one)">
            <svg viewBox="0 0 24 24"><path :d="icon(one)"/></svg><span v-if="one === said" class="said">{{ word('copied') }}</span>
          </button>
        </div>
      </div>
    </article>`,
  props: {
    number: Number, name: String, portrait: String, mine: Boolean, text: String, versions: Number, chosen: Number,
    state: String, note: String, last: Boolean, can: Array,
  },
  emits: ["act"],
  data() {
    return { shown: this.text, editing: false, draft: "", composing: false, open: false, said: "" };
  },
  created() { this.wanted = this.text; },
  unmounted() { cancelAnimationFrame(this.frame); },
  watch: {
    text(now) { this.want(now); },
  },
  computed: {
    pieces() {
      const found = [];
      let at = 0;
      for (const match of this.shown.matchAll(/\*([^*\n]{1,300})\*/g)) {
        if (match.index > at) found.push({ text: this.shown.slice(at, match.index) });
        found.push({ text: match[1], action: true });
        at = match.index + match[0].length;
      }
      found.push({ text: this.shown.slice(at) });
      return found;
    },
  },
  methods: {
    word(key) { return window.customeWords[key] ?? key; },
    icon(key) { return ICONS[key] ?? ""; },
    // Words that came since the last ones: sent alone, not the whole element again.
    grow(from, more) {
      if (this.wanted.startsWith(more, from)) return;  // a later one overtook it
      this.want(this.wanted.slice(0, from) + more);
    },
    // The server sends words four times a second; they are written out evenly until the next ones come. At the end, all at once.
    want(text) {
      const calm = document.hidden || window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.wanted = text;
      if (calm || this.state !== "writing" || !text.startsWith(this.shown)) { this.shown = text; return; }
      this.pace = (text.length - this.shown.length) / EVERY_MS;
      this.since = performance.now();
      this.frame ??= requestAnimationFrame(this.write_out);
    },
    write_out(now) {
      this.frame = undefined;
      let to = this.shown.length + Math.max(1, Math.round(this.pace * (now - this.since)));
      if (LATE_HALF.test(this.wanted.charAt(to))) to += 1;  // an emoji is two halves
      this.since = now;
      this.shown = this.wanted.slice(0, to);
      if (to < this.wanted.length) this.frame = requestAnimationFrame(this.write_out);
    },
    async reopen(draft) {
      this.draft = draft;
      this.editing = true;
      await this.$nextTick();
      this.$refs.box.focus();
    },
    async act(what) {
      this.open = false;
      if (what === "copy") return this.copy();
      if (what === "edit") {
        return this.can.includes("edit") ? this.reopen(this.wanted) : undefined;
      }
      this.$emit("act", { do: what });
    },
    save(what) {
      this.editing = false;
      if (this.draft !== this.wanted || what === "resend") this.$emit("act", { do: what, text: this.draft });
    },
    edit_keys(event) {
      if (event.isComposing || this.composing || event.keyCode === 229) return;
      if (event.key === "Escape") { this.editing = false; event.stopPropagation(); }
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.save(this.mine && this.last ? "resend" : "edit"); }
    },
    keys(event) {
      if (event.target === this.$el && event.key === "Enter") this.act("edit");
    },
    pressed(event) {
      if (window.matchMedia("(hover: none)").matches) { event.preventDefault(); this.open = true; this.$el.focus(); }
    },
    async copy() {
      try {
        await navigator.clipboard.writeText(this.wanted);
      } catch {  // a page without https from another computer has no clipboard
        const box = document.createElement("textarea");
        box.value = this.wanted;
        document.body.append(box);
        box.select();
        document.execCommand("copy");
        box.remove();
      }
      this.said = "copy";
      setTimeout(() => (this.said = ""), 1500);
    },
  },
};
const EVERY_MS = 250;  // as often as apps/cosplay/writing.py shows what has been written
const LATE_HALF = /[\udc00-\udfff]/;
const ICONS = {
  copy: "M9 9h10v10H9zM5 15V5h10",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  retry: "M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5",
  go_on: "M4 12h13M12 6l6 6-6 6",
  branch: "M6 4v16M6 12c8 0 11-2 11-7M17 8V4M14 6l3-3 3 3",
  delete: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
};
