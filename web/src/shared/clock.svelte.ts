// The time, once a second, by the server's clock: browsers' clocks are wrong by minutes.

class Clock {
  now = $state(Date.now());
  private offset = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  start(): void {
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => this.tick());
  }

  set(server: string): void {
    this.offset = Date.parse(server) - Date.now();
    this.tick();
  }

  exact(): number {
    return Date.now() + this.offset;
  }

  private tick(): void {
    this.now = this.exact();
  }
}

export const clock = new Clock();
