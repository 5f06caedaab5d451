/** What a check answers; must be quick and synchronous: it tells what the process knows, it does not go and look. */
export interface CheckResult {
  readonly ok: boolean;
  /** Why not; shown by /readyz, so without addresses and secrets. */
  readonly reason?: string;
  /** Figures for /health. */
  readonly details?: object;
}

export interface CheckOptions {
  /** How long the check may fail before the process counts as not ready; default 0. Once it passes it counts at once. */
  readonly graceMs?: number;
}

export interface Readiness {
  readonly ready: boolean;
  readonly draining: boolean;
  /** One `name: reason` for each check that fails. */
  readonly reasons: readonly string[];
}

export interface HealthReport extends Readiness {
  readonly startedAtMs: number;
  readonly uptimeMs: number;
  readonly pid: number;
  readonly memoryBytes: { readonly rss: number; readonly heapUsed: number; readonly external: number };
  readonly checks: Readonly<Record<string, CheckResult>>;
}

export interface Health {
  /** Adds a check; the answer takes it away again. A TypeError when the name is taken. */
  register(name: string, check: () => CheckResult, options?: CheckOptions): () => void;
  /** Whether the process wants traffic. */
  readiness(): Readiness;
  /** Everything for /health. */
  report(): HealthReport;
  /** From now on not ready, whatever the checks say; cannot be taken back. */
  drain(reason: string): void;
}

type Registered = { readonly check: () => CheckResult; readonly graceMs: number; failingSinceMs: number | null };

/** A registry of checks; liveness is not among them, because a process that answers at all is alive. */
export function createHealth(options: { readonly now?: () => number } = {}): Health {
  const now = options.now ?? Date.now;
  const startedAtMs = now();
  const checks = new Map<string, Registered>();
  let drainReason: string | null = null;

  function examine(registered: Registered): CheckResult & { readonly counts: boolean } {
    const result = ask(registered.check);
    registered.failingSinceMs = result.ok ? null : (registered.failingSinceMs ?? now());
    const counts = registered.failingSinceMs !== null && now() - registered.failingSinceMs >= registered.graceMs;
    return { ...result, counts };
  }

  function readiness(): Readiness {
    const failing = [...checks].flatMap(([name, registered]) => {
      const { counts, reason } = examine(registered);
      return counts ? [`${name}: ${reason ?? 'failing'}`] : [];
    });
    const reasons = drainReason === null ? failing : [`draining: ${drainReason}`, ...failing];
    return { ready: reasons.length === 0, draining: drainReason !== null, reasons };
  }

  return {
    register(name, check, { graceMs = 0 } = {}) {
      if (checks.has(name)) throw new TypeError(`there is a health check "${name}" already`);
      checks.set(name, { check, graceMs, failingSinceMs: null });
      return () => void checks.delete(name);
    },
    readiness,
    report() {
      const { rss, heapUsed, external } = process.memoryUsage();
      return {
        ...readiness(),
        startedAtMs,
        uptimeMs: now() - startedAtMs,
        pid: process.pid,
        memoryBytes: { rss, heapUsed, external },
        checks: Object.fromEntries([...checks].map(([name, { check }]) => [name, ask(check)])),
      };
    },
    drain(reason) {
      drainReason ??= reason;
    },
  };
}

/** A check that throws fails; its message is not shown, since it may name addresses. */
function ask(check: () => CheckResult): CheckResult {
  try {
    return check();
  } catch {
    return { ok: false, reason: 'the check threw an error' };
  }
}
