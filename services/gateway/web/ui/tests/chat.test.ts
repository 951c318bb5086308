import { describe, expect, it } from 'vitest';
import { type ChatMessage, unseen } from '../shared/rtc/protocol';

const line = (id: string, account: string): ChatMessage => ({ id, account, name: account, role: 'doctor', text: id, at: '2026-11-21T07:30:00Z' });
const chat = [line('1', 'doctor'), line('2', 'patient'), line('3', 'doctor'), line('4', 'doctor')];

describe('unseen', () => {
  it('counts what others wrote since the chat was last open', () => expect(unseen(chat, 2, 'patient').map((m) => m.id)).toEqual(['3', '4']));
  it("leaves one's own lines out", () => expect(unseen(chat, 0, 'doctor').map((m) => m.id)).toEqual(['2']));
  it('is nothing once all were seen', () => expect(unseen(chat, chat.length, 'patient')).toEqual([]));
  it('takes every line as somebody else\'s before the room has said who one is', () => expect(unseen(chat, 3, undefined)).toHaveLength(1));
});
