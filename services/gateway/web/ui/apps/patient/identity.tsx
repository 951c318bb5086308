import { Text } from '@mantine/core';
import type { Patient } from '@shared/fhir';
import { PageTitle } from '@shared/ui/page';
import { PersonLine } from '@shared/ui/person';
import { View } from '@shared/ui/states';
import { toString as drawQR } from 'qrcode';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { usePatient } from './patient';
import { useSubject } from './subject';

const health = 'http://fhir.hl7.org.vn/core/sid/bhyt';
const citizen = 'http://fhir.hl7.org.vn/core/sid/cccd';

function value(p: Patient, system: string): string {
  return p.identifier?.find((i) => i.system === system)?.value ?? '';
}

function Code({ text, label }: { text: string; label: string }) {
  const [url, setUrl] = useState('');
  useEffect(() => {
    let live = true;
    void drawQR(text, { type: 'svg', margin: 2, errorCorrectionLevel: 'M', color: { dark: '#1c2421', light: '#ffffff' } }).then((svg) => {
      if (live) setUrl(`data:image/svg+xml;utf8,${encodeURIComponent(svg)}`);
    });
    return () => {
      live = false;
    };
  }, [text]);
  return <div className="p-qr">{url && <img src={url} alt={label} style={{ width: '100%', display: 'block' }} />}</div>;
}

/** Identity is the code that the station or the hospital scans, bright and large. */
export function Identity() {
  const { t } = useTranslation();
  const { subject } = useSubject();
  const found = usePatient(subject.patient);
  return (
    <>
      <PageTitle title={t('identity.title')} hint={subject.name} back="/" />
      <View query={found} lines={8}>
        {(p) => {
          const card = value(p, health) || value(p, citizen);
          return (
            <>
              <Code text={card || `Patient/${p.id}`} label={t('identity.alt', { name: subject.name })} />
              <Text ta="center" mt="md" fw={600} size="xl">{card || t('identity.number', { id: p.id })}</Text>
              <Text ta="center" c="dimmed">{card ? (value(p, health) ? t('identity.health') : t('identity.citizen')) : t('identity.own')}</Text>
              <Text ta="center"><PersonLine birthDate={p.birthDate} gender={p.gender} /></Text>
              <Text ta="center" mt="md">{t('identity.hint')}</Text>
            </>
          );
        }}
      </View>
    </>
  );
}
