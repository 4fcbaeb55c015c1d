import { Skeleton } from '../components/panel.tsx';

export function DevicesPage() {
  return <Skeleton />;
}
