import { Skeleton } from '../components/panel.tsx';

export function SettingsPage() {
  return <Skeleton />;
}
