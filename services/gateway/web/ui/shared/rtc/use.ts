import { useEffect, useState, useSyncExternalStore } from 'react';
import { Call, type Room } from './call';

const nowhere = () => () => {};

const empty: Room = {
  phase: 'connecting', error: undefined, seat: '', members: [], chat: [], quality: undefined, heard: {}, tracks: {}, silent: [],
  camera: undefined, microphone: undefined, screen: undefined, micOn: true, camOn: true, problem: undefined,
};
const nothing = () => empty;

/** useCall takes a seat while the component stands. */
export function useCall(consultation: string): { call: Call | undefined; room: Room } {
  const [call, setCall] = useState<Call>();
  useEffect(() => {
    const own = new Call(consultation);
    setCall(own);
    void own.start();
    return () => own.close();
  }, [consultation]);
  const room = useSyncExternalStore(call?.subscribe ?? nowhere, call?.snapshot ?? nothing);
  return { call, room };
}
