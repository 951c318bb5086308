import { fhir } from '@shared/api';
import type { Patient } from '@shared/fhir';
import { useQuery } from '@tanstack/react-query';

/** usePatient reads the Patient resource. */
export function usePatient(id: string) {
  return useQuery({ queryKey: ['patient', id], queryFn: () => fhir<Patient>(`Patient/${id}`), enabled: id !== '' });
}
