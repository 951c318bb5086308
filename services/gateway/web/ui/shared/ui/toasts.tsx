import { IconCheck, IconX } from '@tabler/icons-react';
import { createContext, type ReactNode, useCallback, useContext, useState } from 'react';
import { useTranslation } from 'react-i18next';

/** Undo lets the last step be taken back. */
export interface Undo { label: string; run: () => void }

type Tell = (text: string, undo?: Undo) => void;
const Telling = createContext<Tell>(() => {});

/** useTell shows a short line at the foot of the page ("Đã lưu"), with an undo where there is one. */
export function useTell(): Tell {
  return useContext(Telling);
}

/** Toasts holds the line; startApp puts it around every app. */
export function Toasts({ children }: { children: ReactNode }) {
  const { t } = useTranslation('shared');
  const [line, setLine] = useState<{ text: string; undo?: Undo | undefined; key: number }>();
  const tell = useCallback<Tell>((text, undo) => {
    const key = Date.now();
    setLine({ text, undo, key });
    setTimeout(() => setLine((now) => (now?.key === key ? undefined : now)), undo ? 10_000 : 5_000);
  }, []);
  return (
    <Telling.Provider value={tell}>
      {children}
      <div role="status" aria-live="polite" className="y-no-print" style={{ position: 'fixed', insetInline: 16, bottom: 88, zIndex: 400, display: 'grid', placeItems: 'center', pointerEvents: 'none' }}>
        {line && (
          <div className="y-sheet y-lift" style={{ display: 'flex', alignItems: 'center', gap: 12, padding: '8px 8px 8px 16px', pointerEvents: 'auto', maxWidth: 480, background: 'var(--ink)', color: 'var(--paper)' }}>
            <IconCheck size={20} aria-hidden style={{ flex: 'none' }} />
            <span className="y-grow">{line.text}</span>
            {line.undo && (
              <button type="button" style={{ font: 'inherit', fontWeight: 600, color: 'inherit', background: 'none', border: '1px solid currentColor', borderRadius: 8, minHeight: 40, padding: '4px 12px' }}
                onClick={() => { line.undo?.run(); setLine(undefined); }}>{line.undo.label}</button>
            )}
            <button type="button" aria-label={t('close')} style={{ display: 'grid', placeItems: 'center', width: 40, height: 40, color: 'inherit', background: 'none', border: 0 }} onClick={() => setLine(undefined)}>
              <IconX size={18} aria-hidden />
            </button>
          </div>
        )}
      </div>
    </Telling.Provider>
  );
}
