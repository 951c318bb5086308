// What the apps read of FHIR R4: minimal types and the extraction of words
// and numbers from them. Everything is optional, as foreign records are.
export interface Coding { system?: string; code?: string; display?: string }
export interface Concept { coding?: Coding[]; text?: string }
export interface Reference { reference?: string; display?: string }
export interface Quantity { value?: number; unit?: string; code?: string }
export interface Period { start?: string; end?: string }

export interface Resource { resourceType: string; id: string; meta?: { lastUpdated?: string; versionId?: string } }
export interface Bundle<R extends Resource> { resourceType: 'Bundle'; entry?: { resource?: R; search?: { mode?: string } }[]; link?: { relation: string; url: string }[] }

export interface Patient extends Resource {
  name?: { text?: string; family?: string; given?: string[] }[]; birthDate?: string; gender?: string;
  identifier?: { system?: string; value?: string }[]; telecom?: { system?: string; value?: string }[]; address?: { text?: string }[];
}
export interface Immunization extends Resource {
  vaccineCode?: Concept; occurrenceDateTime?: string; lotNumber?: string; status?: string; performer?: { actor?: Reference }[];
  location?: Reference; protocolApplied?: { doseNumberPositiveInt?: number }[];
}
export interface Condition extends Resource {
  code?: Concept; onsetDateTime?: string; recordedDate?: string; clinicalStatus?: Concept; recorder?: Reference; asserter?: Reference; encounter?: Reference; category?: Concept[];
}
export interface Allergy extends Resource {
  code?: Concept; recordedDate?: string; criticality?: string; clinicalStatus?: Concept; recorder?: Reference; asserter?: Reference; reaction?: { manifestation?: Concept[] }[];
}
export interface MedicationRequest extends Resource {
  medicationCodeableConcept?: Concept; authoredOn?: string; status?: string; requester?: Reference; encounter?: Reference;
  dosageInstruction?: { text?: string }[]; dispenseRequest?: { quantity?: Quantity; expectedSupplyDuration?: Quantity }; note?: { text?: string }[];
}
export interface Observation extends Resource {
  code?: Concept; category?: Concept[]; effectiveDateTime?: string; valueQuantity?: Quantity; valueString?: string; valueCodeableConcept?: Concept;
  component?: { code?: Concept; valueQuantity?: Quantity }[]; performer?: Reference[]; encounter?: Reference;
}
export interface Encounter extends Resource {
  status?: string; class?: Coding; period?: Period; reasonCode?: Concept[]; serviceProvider?: Reference; participant?: { individual?: Reference }[]; type?: Concept[];
}
export interface DocumentReference extends Resource {
  date?: string; author?: Reference[]; custodian?: Reference; type?: Concept; description?: string;
  content?: { attachment?: { contentType?: string; data?: string; title?: string } }[]; context?: { encounter?: Reference[] };
}

/** resourcesOf takes a searchset's matches, without what was included. */
export function resourcesOf<R extends Resource>(bundle: Bundle<R>): R[] {
  return (bundle.entry ?? []).filter((e) => e.search?.mode !== 'include' && e.search?.mode !== 'outcome').flatMap((e) => (e.resource ? [e.resource] : []));
}

/** words of a CodeableConcept: its own text, else the first name among its codings; never a bare code. */
export function words(concept: Concept | undefined): string {
  if (!concept) return '';
  if (concept.text) return concept.text;
  for (const c of concept.coding ?? []) if (c.display) return c.display;
  return '';
}

/** codeOf finds the code of a system within a concept. */
export function codeOf(concept: Concept | undefined, system: string): string | undefined {
  return concept?.coding?.find((c) => c.system === system)?.code;
}

/** nameOf writes a person's name family name first. */
export function nameOf(patient: Patient | undefined): string {
  const n = patient?.name?.[0];
  if (!n) return '';
  return n.text ?? [n.family, ...(n.given ?? [])].filter(Boolean).join(' ');
}

/** idOf takes "12" out of "Patient/12", of an absolute reference, or of one with a version. */
export function idOf(reference: Reference | undefined): string {
  const path = (reference?.reference ?? '').split('/_history/')[0] ?? '';
  return path.slice(path.lastIndexOf('/') + 1);
}

/** noteText decodes the text attachment of a DocumentReference (base64 of UTF-8). */
export function noteText(document: DocumentReference): string {
  for (const c of document.content ?? []) {
    const a = c.attachment;
    if (!a?.data || (a.contentType && !a.contentType.startsWith('text/plain'))) continue;
    try {
      const bytes = Uint8Array.from(atob(a.data), (ch) => ch.charCodeAt(0));
      return new TextDecoder().decode(bytes);
    } catch {
      // Not base64: this attachment has nothing that can be shown.
    }
  }
  return '';
}

/** VitalKind is a measurement that stations and doctors take. */
export type VitalKind = 'height' | 'weight' | 'systolic' | 'diastolic' | 'pulse' | 'temperature' | 'spo2' | 'glucose';

const loinc = 'http://loinc.org';
const vitalCodes: Record<string, VitalKind> = {
  '8302-2': 'height', '29463-7': 'weight', '8480-6': 'systolic', '8462-4': 'diastolic',
  '8867-4': 'pulse', '8310-5': 'temperature', '59408-5': 'spo2', '2708-6': 'spo2', '15074-8': 'glucose',
};

/** Point is one measured value at a moment. */
export interface Point { at: string; value: number; unit: string }

/** vitalsOf sorts observations into series by kind, oldest first; blood pressure's components become two. */
export function vitalsOf(observations: Observation[]): Partial<Record<VitalKind, Point[]>> {
  const series: Partial<Record<VitalKind, Point[]>> = {};
  const add = (code: Concept | undefined, quantity: Quantity | undefined, at: string | undefined) => {
    const kind = vitalCodes[codeOf(code, loinc) ?? ''];
    if (!kind || quantity?.value === undefined || !at) return;
    let points = series[kind];
    if (!points) {
      points = [];
      series[kind] = points;
    }
    points.push({ at, value: quantity.value, unit: quantity.unit ?? quantity.code ?? '' });
  };
  for (const o of observations) {
    add(o.code, o.valueQuantity, o.effectiveDateTime);
    for (const c of o.component ?? []) add(c.code, c.valueQuantity, o.effectiveDateTime);
  }
  for (const points of Object.values(series)) points.sort((a, b) => a.at.localeCompare(b.at));
  return series;
}

/** active tells whether a problem or allergy still counts; without a status it does. */
export function active(resource: { clinicalStatus?: Concept }): boolean {
  const code = resource.clinicalStatus?.coding?.[0]?.code;
  return !code || code === 'active' || code === 'recurrence' || code === 'relapse';
}
