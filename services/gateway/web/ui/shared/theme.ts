import { createTheme, type MantineColorsTuple, type MantineThemeOverride } from '@mantine/core';

// Ten shades around the identity's colour, which stands at index 7.
const jade: MantineColorsTuple = [
  '#e4f0ec', '#cfe5de', '#a9d0c4', '#7fb9a8', '#57a38e', '#33907a', '#178069', '#0b6e5b', '#085848', '#054236',
];
const lotus: MantineColorsTuple = [
  '#f9eaf0', '#f2d5e0', '#e5abc1', '#d881a2', '#cb5f88', '#c04f78', '#ba486f', '#b4436c', '#923456', '#6f2641',
];
const red: MantineColorsTuple = [
  '#fbe9e7', '#f6d0cc', '#eca59e', '#e17a70', '#d65548', '#c83a2f', '#bd2e25', '#b3261e', '#911c15', '#6f130e',
];

// The clinic's night: Mantine's greys with the identity's green in them.
const dark: MantineColorsTuple = [
  '#eceae4', '#c9cfcb', '#a9b7be', '#8a9893', '#46524e', '#38433f', '#202826', '#1b2220', '#161c1a', '#101513',
];

// The list of answers scrolls itself, as a combobox's popup may: an inner area that
// scrolls would be out of the keyboard's reach (WCAG 2.1.1).
const list = { withScrollArea: false, styles: { options: { maxHeight: '16rem', overflowY: 'auto' } } } as const;

/** yTheme is the look all apps share; size is the body text in pixels (16 on phones, 15 in the clinic). */
export function yTheme(size: 15 | 16): MantineThemeOverride {
  const rem = (px: number) => `${px / 16}rem`;
  return createTheme({
    colors: { jade, lotus, red, dark },
    primaryColor: 'jade',
    primaryShade: { light: 7, dark: 6 },
    fontFamily: "'Be Vietnam Pro', system-ui, sans-serif",
    headings: {
      fontFamily: "'Be Vietnam Pro', system-ui, sans-serif",
      fontWeight: '600',
      sizes: {
        h1: { fontSize: rem(size + 8), lineHeight: '1.35' },
        h2: { fontSize: rem(size + 3), lineHeight: '1.4' },
        h3: { fontSize: rem(size + 1), lineHeight: '1.45' },
      },
    },
    fontSizes: { xs: rem(13), sm: rem(14), md: rem(size), lg: rem(size + 2), xl: rem(size + 5) },
    lineHeights: { xs: '1.5', sm: '1.5', md: '1.5', lg: '1.5', xl: '1.4' },
    defaultRadius: rem(10),
    spacing: { xs: rem(8), sm: rem(12), md: rem(16), lg: rem(24), xl: rem(32) },
    cursorType: 'pointer',
    respectReducedMotion: true,
    autoContrast: true,
    luminanceThreshold: 0.35,
    activeClassName: '',
    components: {
      Button: { defaultProps: { size: 'md' }, styles: { label: { whiteSpace: 'normal', lineHeight: 1.35 }, root: { minHeight: 44, height: 'auto', paddingTop: 6, paddingBottom: 6 } } },
      ActionIcon: { defaultProps: { size: 44, variant: 'subtle' } },
      TextInput: { defaultProps: { size: 'md' } },
      Textarea: { defaultProps: { size: 'md' } },
      Select: { defaultProps: { size: 'md', ...list } },
      Autocomplete: { defaultProps: { size: 'md', ...list } },
      Modal: { defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.4 } } },
    },
  });
}
