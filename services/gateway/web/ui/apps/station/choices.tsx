import { Text } from '@mantine/core';
import { useId } from 'react';

/** Choices is one question with a few large answers. The test id of an answer is `${testid}-${value}`. */
export function Choices({ name, id, legend, value, onChange, options, error, testid, stacked, required }: {
  name: string; id?: string; legend: string; value: string; onChange: (value: string) => void;
  options: { value: string; label: string }[]; error?: string | undefined; testid?: string; stacked?: boolean; required?: boolean;
}) {
  const told = useId();
  return (
    <fieldset className={stacked ? 's-choices s-stacked' : 's-choices'} aria-describedby={error ? told : undefined}>
      <legend>{legend}{required && <span aria-hidden style={{ color: 'var(--red)' }}> *</span>}</legend>
      {options.map((o, i) => (
        <label key={o.value} className="s-choice">
          <input type="radio" name={name} required={required} id={i === 0 ? id : undefined} value={o.value} checked={value === o.value} onChange={() => onChange(o.value)} data-testid={testid && `${testid}-${o.value}`} />
          {o.label}
        </label>
      ))}
      {error && <Text id={told} size="sm" c="var(--red)" w="100%">{error}</Text>}
    </fieldset>
  );
}
