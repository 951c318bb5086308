import type { ReactNode } from 'react';

/** Tone: own (jade), attention (lotus), due (amber), danger (red), quiet (grey). Always with a word. */
export type Tone = 'own' | 'attention' | 'due' | 'danger' | 'quiet';

/** Mark is a small word with a tone and, mostly, an icon. */
export function Mark({ tone, icon, children }: { tone: Tone; icon?: ReactNode; children: ReactNode }) {
  return <span className="y-mark" data-tone={tone}>{icon}{children}</span>;
}
