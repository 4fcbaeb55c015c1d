import { Skeleton } from '../components/panel.tsx';

export function DevicePage() {
  return <Skeleton />;
}
