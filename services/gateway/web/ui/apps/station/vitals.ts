// The measurements of a visit, in the order a nurse takes them; units are UCUM.
export const measures = [
  { kind: 'systolic', unit: 'mm[Hg]' }, { kind: 'diastolic', unit: 'mm[Hg]' }, { kind: 'pulse', unit: '/min' }, { kind: 'temperature', unit: 'Cel' },
  { kind: 'weight', unit: 'kg' }, { kind: 'height', unit: 'cm' }, { kind: 'spo2', unit: '%' }, { kind: 'glucose', unit: 'mmol/L' },
] as const;

export type MeasureKind = (typeof measures)[number]['kind'];
