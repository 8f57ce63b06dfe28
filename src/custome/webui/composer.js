// Where one writes: Enter sends, Shift+Enter makes a new line, an input method may compose in peace. What is in it belongs to the
// browser: a draft is kept for each conversation, and nothing that happens on the server erases it.
const KEPT = "custome-draft:";
export default {
  template: `
    <div class="composer">
      <slot></slot>
      <textarea ref="box" v-model="words" rows="1" :placeholder="placeholder" :aria-label="placeholder" :maxlength="longest + 200"
                enterkeyhint="send" @input="changed" @keydown="keys" @compositionstart="composing = true" @compositionend="composed"></textarea>
      <button type="button" class="round" :class="{stop: shows_stop}" :aria-label="word(shows_stop ? 'stop' : 'send')"
              :title="word(shows_stop ? 'stop' : 'send')" :disabled="!shows_stop && !words.trim()" @click="press">
        <svg v-if="shows_stop" viewBox="0 0 24 24"><rect x="7" y="7" width="10" height="10" rx="1.5"/></svg>
        <svg v-else viewBox="0 0 24 24"><path d="M12 19V5M6 11l6-6 6 6"/></svg>
      </button>
      <div v-if="words.length > longest" class="too_long" role="alert">{{ words.length }} / {{ longest }}</div>
    </div>`,
  props: { chat: String, busy: Boolean, placeholder: String, longest: Number },
  emits: ["send", "stop", "key"],
  data() {
    return { words: "", composing: false, begun: false, carried: false };
  },
  computed: {
    shows_stop() { return this.busy && !this.words.trim(); },  // with words in the box the button sends: they wait their turn
  },
  watch: {
    chat(now, before) {
      const same = (!before && this.begun) || this.carried;
      this.begun = this.carried = false;
      if (same && this.words.trim()) {  // a conversation got or lost its name while the next words were written
        this.keep(before, "");
        return this.keep(now, this.words);
      }
      this.words = localStorage.getItem(KEPT + now) ?? "";
      this.fit();
    },
  },
  mounted() {
    this.words = localStorage.getItem(KEPT + this.chat) ?? "";
    this.fit();
    if (window.matchMedia("(hover: hover)").matches) this.$refs.box.focus();
    document.addEventListener("keydown", this.shortcuts);
  },
  unmounted() { document.removeEventListener("keydown", this.shortcuts); },
  methods: {
    word(key) { return window.customeWords[key] ?? key; },
    keep(chat, words) {
      try {
        if (words) localStorage.setItem(KEPT + chat, words);
        else localStorage.removeItem(KEPT + chat);
      } catch {}  // a full or forbidden storage costs the draft, not the page
    },
    changed() { this.keep(this.chat, this.words); this.fit(); },
    composed() { setTimeout(() => (this.composing = false)); },  // Safari ends composing before the Enter that ended it
    async fit() {
      await this.$nextTick();
      const box = this.$refs.box;
      box.style.height = "auto";
      box.style.height = Math.min(box.scrollHeight, 0.4 * window.innerHeight) + "px";
    },
    keys(event) {
      if (event.isComposing || this.composing || event.keyCode === 229) return;
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); this.send(); }
    },
    press() { this.shows_stop ? this.$emit("stop") : this.send(); },
    send() {
      const words = this.words.trim();
      if (!words || words.length > this.longest) return;
      if (window.socket && !window.socket.connected) return;  // it stays in the box until the server is back
      this.words = "";
      this.begun = !this.chat;
      this.changed();
      this.$emit("send", { words });
    },
    // Words that could not be said come back, before what has been written since.
    give_back(words) {
      this.begun = false;
      this.words = words + (this.words ? "\n" + this.words : "");
      this.changed();
    },
    put(words) { this.words = words; this.changed(); },
    carry() { this.carried = true; },
    written() { return this.words.trim(); },
    focus() { this.$refs.box.focus(); },
    shortcuts(event) {
      if (event.isComposing || this.composing) return;
      const elsewhere = document.querySelector(".q-dialog, .q-menu") || event.target.closest?.("input, .editing");
      if (event.key === "Escape" && this.busy && !event.defaultPrevented && !elsewhere) this.$emit("stop");
      else if (event.altKey && KEYS[event.key]) { event.preventDefault(); this.$emit("key", { do: KEYS[event.key] }); }
    },
  },
};
const KEYS = { r: "retry", n: "new", ArrowLeft: "older", ArrowRight: "newer" };
