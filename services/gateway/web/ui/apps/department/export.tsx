import { Button, Group } from '@mantine/core';
import { coverage } from '@shared/services';
import { ErrorNote } from '@shared/ui/states';
import { useTell } from '@shared/ui/toasts';
import { language } from '@shared/words';
import { IconDownload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

// protojson writes bytes as base64.
function save(name: string, type: string, content: string): void {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Export offers the figures on the screen as a file that explains itself. */
export function Export({ indicator, geography }: { indicator: string; geography: string }) {
  const { t } = useTranslation();
  const tell = useTell();
  const file = useMutation({
    mutationFn: (format: 'csv' | 'xlsx') => coverage.exportFile({ indicator, geography, format, language: language() }),
    onSuccess: ({ name, mediaType, content }) => {
      save(name, mediaType, content);
      tell(t('export.done', { name }));
    },
  });
  return (
    <div className="y-no-print">
      <Group gap={8}>
        {(['csv', 'xlsx'] as const).map((format) => (
          <Button key={format} variant="default" leftSection={<IconDownload size={18} aria-hidden />} loading={file.isPending && file.variables === format} onClick={() => file.mutate(format)}
            data-testid={`export-${format}`}>{t(`export.${format}`)}</Button>
        ))}
      </Group>
      {file.error && <ErrorNote error={file.error} inline />}
    </div>
  );
}
