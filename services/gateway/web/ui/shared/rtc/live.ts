import { useEffect, useRef, useState } from 'react';
import type { Consultation } from '../services';
import { token } from '../session';
import { backoff, socketUrl } from './protocol';

type LiveMessage =
  | { type: 'ready' } | { type: 'queue' }
  | { type: 'consultation'; consultation: Consultation }
  | { type: 'error'; error: { class: string; message: string } };

/**
 * useLive listens to one consultation, or without one to the doctor's queue.
 * It tells whether the line stands, and opens it again when it breaks.
 */
export function useLive(consultation: string | undefined, heard: (message: LiveMessage) => void): boolean {
  const [standing, stand] = useState(true);
  const latest = useRef(heard);
  latest.current = heard;
  useEffect(() => {
    let socket: WebSocket | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let trials = 0;
    let over = false;
    const open = () => {
      socket = new WebSocket(socketUrl('/api/consults/v1/live'));
      const own = socket;
      own.onopen = async () => {
        const bearer = await token();
        if (own.readyState === WebSocket.OPEN) own.send(JSON.stringify({ token: bearer ?? '', ...(consultation ? { consultation } : {}) }));
      };
      own.onmessage = ({ data }) => {
        const message = JSON.parse(String(data)) as LiveMessage;
        if (message.type === 'ready') {
          trials = 0;
          stand(true);
        }
        latest.current(message);
      };
      own.onclose = () => {
        if (over) return;
        stand(false);
        timer = setTimeout(open, backoff(trials++));
      };
    };
    open();
    return () => {
      over = true;
      clearTimeout(timer);
      socket?.close();
    };
  }, [consultation]);
  return standing;
}
