import type { AuditEntry } from '@shared/services';

/** deed is what an operation did to the record, as a key of log.deed. */
export function deed(operation: string): 'read' | 'wrote' | 'deleted' | 'booked' | 'joined' | 'used' {
  const method = operation.split('.')[1] ?? '';
  if (/^Delete/.test(method)) return 'deleted';
  if (/^(Create|Update|Transact|Register|Record|SaveNote|Prescribe|Admit|End$|OpenAccount|GrantRelation|EndRelation)/.test(method)) return 'wrote';
  if (/^(Book|Reschedule|Cancel|CheckIn)/.test(method)) return 'booked';
  if (/^(Join|Invite)/.test(method)) return 'joined';
  if (/^(Read|Search|History|Everything|Get|List|Find|Queue|Today|AccessLog)/.test(method)) return 'read';
  return 'used';
}

const things: Record<string, string> = {
  Patient: 'patient', Immunization: 'immunization', Condition: 'problem', AllergyIntolerance: 'problem', MedicationRequest: 'medicine',
  MedicationStatement: 'medicine', Observation: 'result', DiagnosticReport: 'result', Encounter: 'visit', DocumentReference: 'note', Composition: 'note',
  Appointment: 'consultation', consultation: 'consultation', Communication: 'consultation', AuditEvent: 'log',
};

/** thing is what was touched, as a key of log.thing; "record" where it was more than one thing. */
export function thing(entry: Pick<AuditEntry, 'target' | 'operation'>): string {
  if (entry.operation === 'access.AccessLog') return 'log';
  if (entry.operation === 'consults.SaveNote') return 'note';
  if (entry.operation === 'consults.Prescribe') return 'medicine';
  const kind = entry.target.split('/')[0] ?? '';
  return things[kind] ?? (entry.operation.startsWith('consults.') ? 'consultation' : 'record');
}
