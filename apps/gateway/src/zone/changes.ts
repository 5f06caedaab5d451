import type { CharacterId } from '@skirmish/protocol';

/** What happened to characters since the last look: the newest state of each counts, so a set of ids is enough. */
export class Changes {
  readonly entered = new Set<CharacterId>();
  readonly moved = new Set<CharacterId>();
  readonly left = new Set<CharacterId>();

  get isEmpty(): boolean {
    return this.entered.size + this.moved.size + this.left.size === 0;
  }

  enter(id: CharacterId): void {
    this.left.delete(id);
    this.moved.delete(id);
    this.entered.add(id);
  }

  move(id: CharacterId): void {
    if (!this.entered.has(id)) this.moved.add(id);
  }

  leave(id: CharacterId): void {
    this.entered.delete(id);
    this.moved.delete(id);
    this.left.add(id);
  }

  clear(): void {
    this.entered.clear();
    this.moved.clear();
    this.left.clear();
  }
}
