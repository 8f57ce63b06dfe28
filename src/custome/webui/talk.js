// The column of turns. It follows what is being written, and stops following when somebody scrolls up to read.
export default {
  template: `
    <div class="talk" ref="talk" role="log" :aria-label="label" @scroll.passive="scrolled">
      <div class="column" ref="column"><slot></slot></div>
      <button v-show="away" type="button" class="down" :aria-label="word('down')" :title="word('down')" @click="follow(true)">
        <svg viewBox="0 0 24 24"><path d="M12 5v14M6 13l6 6 6-6"/></svg>
      </button>
    </div>`,
  props: { label: String },
  data() {
    return { away: false };
  },
  mounted() {
    this.watcher = new ResizeObserver(() => this.follow());
    this.watcher.observe(this.$refs.column);
    this.watcher.observe(this.$refs.talk);
  },
  unmounted() { this.watcher.disconnect(); },
  methods: {
    word(key) { return window.customeWords[key] ?? key; },
    scrolled() {
      const talk = this.$refs.talk;
      this.away = talk.scrollHeight - talk.scrollTop - talk.clientHeight > 80;
    },
    follow(anyway = false) {
      const talk = this.$refs.talk;
      if (anyway) this.away = false;
      if (!this.away) talk.scrollTop = talk.scrollHeight;
    },
  },
};
