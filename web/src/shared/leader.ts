// One tab of several leads: it alone rings and shows notices. The browser's lock decides; when the leader closes, the next
// takes over. A browser without locks leads always.

export class Leader {
  leads = false;
  private release: () => void = () => {};

  start(name: string): void {
    if (!navigator.locks) {
      this.leads = true;
      return;
    }
    const held = new Promise<void>((resolve) => (this.release = resolve));
    void navigator.locks.request(`texthub.leader.${name}`, async () => {
      this.leads = true;
      await held;
      this.leads = false;
    });
  }

  stop(): void {
    this.release();
    this.leads = false;
  }
}
