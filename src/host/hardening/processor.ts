/** What the kernel's words about the flaws of a processor mean: pure. */

/** The flaws that nothing is done about on this host. https://docs.kernel.org/admin-guide/hw-vuln/ lists what may be said of each. */
export function openFlaws(flaws: ReadonlyMap<string, string>): string[] {
  return [...flaws].filter(([, said]) => partsOf(said).some(isOpen)).map(([name]) => name)
}

/** Those through which one thread of a core may read what the other is at. */
export function flawsBetweenThreads(flaws: ReadonlyMap<string, string>): string[] {
  return [...flaws].filter(([, said]) => partsOf(said).some(isAboutThreads)).map(([name]) => name)
}

/** "Mitigation: PTE Inversion; VMX: conditional cache flushes, SMT vulnerable" says three things. */
const partsOf = (said: string): string[] => said.split(/[;,]/).map((part) => part.trim())

/** "Vulnerable", "KVM: Vulnerable", "VMX: vulnerable", "Processor vulnerable". */
const isOpen = (part: string): boolean => /^(?:[\w -]+: )?(?:processor )?vulnerable/i.test(part)

/** Where the host is a virtual machine itself, it cannot know. */
const isAboutThreads = (part: string): boolean => /^SMT (?:vulnerable|Host state unknown)/i.test(part)
